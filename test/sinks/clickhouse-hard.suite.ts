import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { rowsOf } from '../../graph/batch.ts'
import { snake } from '../../graph/schema.ts'
import { trade } from '../../market/event.ts'
import { joined } from '../../sinks/arrow.ts'
import { ready } from '../../sinks/clickhouse/migrate.ts'
import { clickhouse } from '../../sinks/clickhouse/sink.ts'
import { start } from './chdb-start.ts'
import { caughtUp, counted, expectExact, stopAll, Topic, until } from './clickhouse-topic.ts'
import { startWire } from './wire.ts'
import { diceOf } from '../random.ts'

const started = await start()
afterAll(() => started?.end())
afterEach(stopAll)

describe.skipIf(started === undefined)('loading under fire (skipped where it cannot run)', () => {
  if (started === undefined) return
  const { chdb } = started
  const direct = started.tables()

  test('is exact through a dozen kills of ClickHouse, lost answers and inserts that come late', async () => {
    const topic = new Topic('fire')
    const random = diceOf(Number(process.env['KT_SEED'] ?? 11))
    const wire = await startWire(chdb.url)
    const tables = started.tables({ url: wire.url, timeoutMs: 5000 })
    const loading = topic.run(tables, { lingerMs: 5, rowsMax: 1500 })
    for (let round = 0; round < 12; round++) {
      const before = chdb.pid
      const writing = topic.write(20, 150)
      wire.loseAnswers = Math.floor(3 * random())
      wire.delayMs = random() < 0.3 ? 1500 * random() : 0
      await pause(100 + 700 * random())
      process.kill(before, 'SIGKILL')
      await writing
      await until(() => chdb.pid !== before, 'it was not started again')
      await pause(1500 * random())
    }
    wire.loseAnswers = wire.delayMs = 0
    await caughtUp(topic, loading)
    await pause(2000)
    expect(await counted(direct, topic)).toEqual([72_000, 72_000])
    await expectExact(direct, topic)
    await loading.stop()
    await wire.close()
  }, 300_000)

  test('loads columns with a fraction of the work of JSON rows', async () => {
    for (const table of ['fast', 'slow']) await ready(direct, clickhouse(trade, { table }))
    const topic = new Topic('fast')
    await topic.write(20, 5000)
    const records = topic.records().filter(({ partition }) => partition === 0)
    const rows = rowsOf(joined(trade, records))
    const named = rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [snake(name), value])),
    )
    const client = started.client()
    const rate = async (insert: (round: number) => Promise<unknown>): Promise<number> => {
      let least = Infinity
      for (let round = 0; round < 3; round++) {
        const before = cpuMs(chdb.pid)
        await insert(round)
        least = Math.min(least, cpuMs(chdb.pid) - before)
      }
      return Math.round(rows.length / (least / 1000))
    }
    const columns = await rate((round) =>
      direct.insert('fast', { schema: trade, records }, { token: `c${round}`, comment: 'speed' }),
    )
    const json = await rate((round) => {
      const clickhouse_settings = { insert_deduplication_token: `j${round}` }
      return client.insert({ table: 'slow', values: named, format: 'JSONEachRow', clickhouse_settings })
    })
    console.log(`rows a second of processor time: ${columns} as columns, ${json} as JSON`)
    expect(columns / json).toBeGreaterThan(2)
  }, 120_000)
})

/** Processor time of this process and of the engine's, milliseconds. */
const cpuMs = (pid: number): number => {
  const { user, system } = process.cpuUsage()
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')
  return (user + system) / 1000 + 10 * (Number(fields[13]) + Number(fields[14]))
}
