import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { trade } from '../../market/event.ts'
import type { Loading } from '../../sinks/clickhouse/load.ts'
import { ready } from '../../sinks/clickhouse/migrate.ts'
import { start } from './chdb-start.ts'
import { caughtUp, DAY, expectExact, HOUR, stopAll, Topic, until } from './clickhouse-topic.ts'
import { startWire } from './wire.ts'

const started = await start()
afterAll(() => started?.end())
afterEach(stopAll)

/** The statements in the section about sums of docs/clickhouse.md, as they stand there. */
const page = readFileSync('docs/clickhouse.md', 'utf8')
const section = page.split(/^## /m).find((one) => one.startsWith('Sums'))!
const [PROJECTION, REFRESHED, FED, REFILL] = [...section.matchAll(/```sql\n(.*?)```/gs)].map(([, sql]) =>
  sql!.split(/;\n/).filter((one) => one.trim() !== ''),
)
const MADE = ['trade_feeds', 'trade_hour', 'trade_minute', 'trade_fed', 'summed_feeds', 'summed']

interface Sum {
  readonly i: string
  readonly m: number
  readonly n: number
  readonly v: number
}

describe.skipIf(started === undefined)('sums over a table of the sink (skipped where it cannot run)', () => {
  if (started === undefined) return
  const { chdb } = started
  const direct = started.tables()

  const all = async (statements: readonly string[] | undefined): Promise<void> => {
    for (const sql of statements!) await direct.exec(sql)
  }
  const read = async (from: string, time = 'minute', more = ''): Promise<readonly Sum[]> => {
    const sql = `SELECT toString(instrument) AS i, toUnixTimestamp(${time}) AS m, toInt32(sum(trades)) AS n,
      round(sum(volume), 2) AS v FROM ${from} GROUP BY i, m ORDER BY i, m ${more}`
    return (await direct.query(sql, {})) as unknown as readonly Sum[]
  }
  const ofTable = (start = 'toStartOfMinute'): Promise<readonly Sum[]> => {
    const rows = `(SELECT instrument, ${start}(time) AS minute, size AS volume, 1 AS trades FROM trade)`
    return read(rows, 'minute', 'SETTINGS optimize_use_projections = 0')
  }
  const fed = (): Promise<readonly Sum[]> => read('(SELECT * FROM trade_fed FINAL)')

  /** A table of no rows, and what hangs on it. */
  const fresh = async (...made: readonly (readonly string[] | undefined)[]): Promise<Topic> => {
    for (const name of [...MADE, 'trade']) await direct.exec(`DROP TABLE IF EXISTS ${name} SYNC`)
    const topic = new Topic('trade')
    await ready(direct, topic.sink)
    for (const statements of made) await all(statements)
    return topic
  }

  const expectSums = async (topic: Topic, fault: string): Promise<void> => {
    await expectExact(direct, topic)
    const wanted = await ofTable()
    const force = 'SETTINGS force_optimize_projection = 1'
    expect(await read('trade_minute', 'minute', force), `the projection after ${fault}`).toEqual(wanted)
    const refreshed = async (): Promise<readonly Sum[]> => {
      await all(['SYSTEM REFRESH VIEW trade_hour', 'SYSTEM WAIT VIEW trade_hour'])
      return read('trade_hour', 'hour')
    }
    // One that began by itself before the last rows came may still be running.
    const hours = await ofTable('toStartOfHour')
    await expect.poll(refreshed, { timeout: 10_000, message: `refreshed after ${fault}` }).toEqual(hours)
    const has = new Map(wanted.map(({ i, m, n }) => [`${i} ${m}`, n]))
    const twice = (await fed()).filter(({ i, m, n }) => n > (has.get(`${i} ${m}`) ?? 0))
    expect(twice, `counted twice by the fed view after ${fault}`).toEqual([])
    await all(REFILL)
    expect(await fed(), `the fed view, filled again after ${fault}`).toEqual(wanted)
  }

  const killed = async (): Promise<void> => {
    const before = chdb.pid
    process.kill(before, 'SIGKILL')
    await until(() => chdb.pid !== before, 'it was not started again')
  }

  test('are those of the table after lost answers, late inserts, two sinks at once and kills', async () => {
    const topic = await fresh(PROJECTION, REFRESHED, FED)
    const wire = await startWire(chdb.url)
    const tables = started.tables({ url: wire.url, timeoutMs: 5000 })
    const loading = topic.run(tables, { lingerMs: 5, rowsMax: 900 })
    const faults: Readonly<Record<string, () => Promise<Loading | void>>> = {
      'lost answers': async () => void (wire.loseAnswers = 4),
      'inserts that come late': async () => void (wire.delayMs = 800),
      'two sinks at once': async () => topic.run(direct, { lingerMs: 15, rowsMax: 250 }),
      'a kill': killed,
      'a kill with lost answers': async () => {
        wire.loseAnswers = 2
        await killed()
      },
    }
    for (const [fault, strike] of Object.entries(faults)) {
      const writing = (async () => {
        for (let step = 0; step < 12; step++) await topic.write(1, 60, DAY + (step % 3) * 24 * HOUR)
      })()
      const twin = await strike()
      await writing
      if (wire.delayMs > 0) await until(() => loading.status()[0]!.state === 'waiting', 'it noticed nothing')
      wire.delayMs = wire.loseAnswers = 0
      await caughtUp(topic, loading)
      if (twin !== undefined) await caughtUp(topic, twin)
      if (fault.includes('late')) await pause(1000)
      await expectSums(topic, fault)
      await twin?.stop()
    }
    await loading.stop()
    await wire.close()
  }, 120_000)

  test('a fed view lacks an insert in which ClickHouse dies, and is filled again', async () => {
    const topic = await fresh(PROJECTION, REFRESHED, FED)
    await all(['DROP TABLE trade_feeds SYNC', FED![1]!.replace('GROUP BY', 'WHERE sleep(3) = 0 GROUP BY')])
    const loading = topic.run(direct, { lingerMs: 5, rowsMax: 10_000 })
    await topic.write(1, 50)
    await expect.poll(() => ofTable(), { timeout: 20_000 }).not.toEqual([])
    await killed()
    await caughtUp(topic, loading)
    expect(await fed()).not.toEqual(await ofTable())
    await expectSums(topic, 'a kill between table and view')
  }, 60_000)

  test('a view that fails holds its table up with KT6102, and loading goes on when it is mended', async () => {
    const topic = await fresh(PROJECTION, REFRESHED, FED)
    await all([
      'CREATE TABLE broken (n UInt8) ENGINE = Null',
      'CREATE MATERIALIZED VIEW broken_feeds TO broken AS SELECT throwIf(size >= 0) AS n FROM trade',
    ])
    await topic.write(3, 20)
    const loading = topic.run(direct, { lingerMs: 5, rowsMax: 20 })
    await until(() => loading.status()[0]!.error?.code === 'KT6102', 'it noticed nothing')
    expect(loading.status()[0]!.error!.why).toContain('throwIf')
    await all(['DROP TABLE broken_feeds SYNC', 'DROP TABLE broken SYNC'])
    loading.again()
    await caughtUp(topic, loading)
    await expectSums(topic, 'a view that failed')
  }, 60_000)

  test('a summing view with a window takes what arrives twice once', async () => {
    const topic = await fresh([
      `CREATE TABLE summed (instrument String, minute DateTime('UTC'), volume Float64, trades UInt64)
        ENGINE = SummingMergeTree ORDER BY (instrument, minute)
        SETTINGS non_replicated_deduplication_window = 10000`,
      `CREATE MATERIALIZED VIEW summed_feeds TO summed AS SELECT toString(instrument) AS instrument,
        toStartOfMinute(time) AS minute, sum(size) AS volume, count() AS trades
        FROM trade GROUP BY instrument, minute`,
    ])
    await topic.write(4, 30)
    const records = topic.records().filter(({ partition }) => partition === 0)
    const label = { token: 'clickhouse.trade/trade/0/0-3/2026-03-01', comment: 'late' }
    for (let arrival = 0; arrival < 3; arrival++)
      await direct.insert('trade', { schema: trade, records }, label)
    expect((await ofTable()).reduce((sum, { n }) => sum + n, 0)).toBe(120)
    expect(await read('summed')).toEqual(await ofTable())
  })
})
