import { expect, test } from 'vitest'
import { temporary } from '../e2e/command.ts'
import { describeKafka } from '../runtime/kafka-suite.ts'
import { chaos, PROCESS_FAULTS } from './chaos.ts'
import { openCluster } from './cluster.ts'
import { StepClock } from './step-clock.ts'

/** What is done to processes, a kill of the broker that leads, and a step of the clock: each of it once. */
const FAULTS = PROCESS_FAULTS.length + 2
const SEED = 15

describeKafka('a run whose log is on three brokers', () => {
  test('loses and doubles nothing, whoever dies or stands still', { timeout: 180_000 }, async () => {
    const clock = StepClock.open()
    if (clock === undefined) console.warn('no C compiler, or not Linux: the wall clock is not set')
    using folder = temporary()
    const kafka = await openCluster()
    try {
      const able = { disk: false, clock, kafka }
      const report = await chaos({ faults: FAULTS, seed: SEED, folder: folder.path, ...able, say: () => {} })
      console.log(JSON.stringify(report))
      expect(report.findings).toEqual([])
      expect(report.unexplained).toBe(0)
      expect(report.trades).toBeGreaterThan(1000)
      const others = ['broker', ...(clock === undefined ? [] : ['clock'])]
      expect(Object.keys(report.faults).toSorted()).toEqual([...PROCESS_FAULTS, ...others].toSorted())
    } finally {
      clock?.[Symbol.dispose]()
      await kafka.close()
    }
  })
})
