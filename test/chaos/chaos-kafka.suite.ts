import { expect, test } from 'vitest'
import { temporary } from '../e2e/command.ts'
import { describeKafka } from '../runtime/kafka-suite.ts'
import { chaos } from './chaos.ts'
import { openCluster } from './cluster.ts'

/** With this seed each of the four that may die does: shard, sinks, ClickHouse, and the broker that leads. */
const [FAULTS, SEED] = [7, 15]

describeKafka('a run whose log is on three brokers', () => {
  test('loses and doubles nothing, whoever dies', { timeout: 180_000 }, async () => {
    using folder = temporary()
    const kafka = await openCluster()
    try {
      const options = { faults: FAULTS, seed: SEED, folder: folder.path, disk: false, kafka, say: () => {} }
      const report = await chaos(options)
      console.log(JSON.stringify(report))
      expect(report.findings).toEqual([])
      expect(report.unexplained).toBe(0)
      expect(report.trades).toBeGreaterThan(1000)
      const killed = ['broker', 'kill shard', 'kill sink-clickhouse', 'kill sink-lake', 'kill clickhouse']
      expect(Object.keys(report.faults)).toEqual(expect.arrayContaining(killed))
    } finally {
      await kafka.close()
    }
  })
})
