import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { rowsOf } from '../../graph/batch.ts'
import { trade } from '../../market/event.ts'
import { batchOf } from '../../sinks/arrow.ts'
import { runClickhouse } from '../../sinks/clickhouse/load.ts'
import type { TableChange } from '../../sinks/clickhouse/load.ts'
import type { Tables } from '../../sinks/clickhouse/tables.ts'
import { connectTables } from '../../sinks/driver/clickhouse.ts'
import type { ConnectedTables } from '../../sinks/driver/clickhouse.ts'
import { start } from './chdb-start.ts'
import { caughtUp, counted, DAY, expectExact, HOUR, stopAll, Topic, until } from './clickhouse-topic.ts'
import { startWire } from './wire.ts'
import { diceOf } from '../random.ts'

const started = await start()
afterAll(() => started?.end())
afterEach(stopAll)

describe.skipIf(started === undefined)(
  'loading into the embedded ClickHouse (skipped where it cannot run)',
  () => {
    if (started === undefined) return
    const { chdb } = started
    const direct = started.tables()
    const through = (url: string): ConnectedTables => started.tables({ url, timeoutMs: 5000 })

    test.each(['trade', 'quote'] as const)('brings %s rows with every value as it was', async (kind) => {
      const topic = new Topic(`values_${kind}`, kind)
      await topic.write(6, 40)
      await caughtUp(topic, topic.run(direct))
      await expectExact(direct, topic)
    })

    test('never puts two days into one insert, and takes few inserts where days come in turns', async () => {
      const topic = new Topic('days')
      for (let step = 0; step < 40; step++) await topic.write(1, 3, DAY + (step % 3) * 24 * HOUR)
      const inserts: (readonly number[])[] = []
      const tables: Tables = {
        ...direct,
        insert: (table, rows, label) => {
          const days = rowsOf(batchOf(rows)).map((row) => Math.floor(Number(row['received']) / (24 * HOUR)))
          inserts.push([...new Set(days)])
          return direct.insert(table, rows, label)
        },
      }
      await caughtUp(topic, topic.run(tables))
      await expectExact(direct, topic)
      expect(inserts.every((days) => days.length === 1)).toBe(true)
      expect(new Set(inserts.flat()).size).toBe(3)
      expect(inserts.length).toBeLessThan(20)
    })

    test('is exact when the answer to an insert is lost after it was applied', async () => {
      const topic = new Topic('answers')
      const wire = await startWire(chdb.url)
      const tables = through(wire.url)
      wire.loseAnswers = 5
      const loading = topic.run(tables)
      await topic.write(30, 30)
      await caughtUp(topic, loading)
      expect(wire.lost()).toBe(5)
      await expectExact(direct, topic)
      await loading.stop()
      await wire.close()
    })

    test('is exact when an insert arrives long after its client gave up', async () => {
      const topic = new Topic('late')
      const wire = await startWire(chdb.url)
      const tables = through(wire.url)
      wire.delayMs = 1500
      const loading = topic.run(tables)
      await topic.write(2, 30)
      await until(() => loading.status()[0]!.state === 'waiting', 'it noticed nothing')
      wire.delayMs = 0
      await caughtUp(topic, loading)
      await pause(1700)
      await expectExact(direct, topic)
      await loading.stop()
      await wire.close()
    })

    test('is exact when the sink dies between insert and the next claim, again and again', async () => {
      const topic = new Topic('deaths')
      const random = diceOf(7)
      for (let life = 0; life < 12; life++) {
        let calls = Math.floor(15 * random())
        const mortal =
          <A extends readonly unknown[], T>(call: (...args: A) => Promise<T>) =>
          async (...args: A): Promise<T> => {
            if (calls-- <= 0) return new Promise(() => {})
            const answer = await call(...args)
            return calls < 0 ? new Promise(() => {}) : answer
          }
        const tables = {
          exec: mortal(direct.exec),
          query: mortal(direct.query),
          insert: mortal(direct.insert),
        }
        const { objects, log, clock, sink } = topic
        runClickhouse({
          log,
          clock,
          objects,
          tables,
          limits: { lingerMs: 10, rowsMax: 100 },
          sinks: [{ topic: sink.table, partitions: 2, sink }],
        })
        while (calls >= 0) {
          await topic.write(1, 30)
          await pause(20)
        }
      }
      await caughtUp(topic, topic.run(direct))
      await expectExact(direct, topic)
    })

    test('drops what a zombie sends once more, and two runs side by side load each row once', async () => {
      const topic = new Topic('twins')
      const twins = [
        topic.run(direct, { lingerMs: 10, rowsMax: 200 }),
        topic.run(direct, { lingerMs: 20, rowsMax: 90 }),
      ]
      await topic.write(20, 30)
      for (const twin of twins) await caughtUp(topic, twin)
      await expectExact(direct, topic)
      const [path, bytes] = [...topic.objects.objects].find(([path]) => path.includes('/twins/0/'))!
      const { first, last } = JSON.parse(new TextDecoder().decode(bytes))
      expect(path).toContain(String(first))
      const records = topic
        .records()
        .filter((one) => one.partition === 0 && one.offset >= first && one.offset <= last)
      const token = `clickhouse.twins/twins/0/${first}-${last}/2026-03-01`
      await direct.insert('twins', { schema: trade, records }, { token, comment: token })
      await expectExact(direct, topic)
    })

    test('finds rows that a token swallowed, and the missing half of a record', async () => {
      const topic = new Topic('burned')
      await topic.write(3, 30)
      const first = topic.run(direct, { lingerMs: 10 })
      await caughtUp(topic, first)
      await first.stop()
      // ClickHouse may note a token and die before the part is in place: here the rows go, and the token
      // stays known.
      await direct.exec(
        'ALTER TABLE burned DELETE WHERE _off = 0 OR (_off = 2 AND _row % 2 = 1) SETTINGS mutations_sync = 2',
      )
      expect(await counted(direct, topic)).toEqual([90, 90])
      await caughtUp(topic, topic.run(direct))
      await expectExact(direct, topic)
    })

    test('waits while ClickHouse is away, and loads the backlog exactly when it comes', async () => {
      const topic = new Topic('away')
      const changes: string[] = []
      let away = true
      const gone =
        <A extends readonly unknown[], T>(
          call: (...args: A) => Promise<T>,
          other: (...args: A) => Promise<T>,
        ) =>
        (...args: A) =>
          (away ? other : call)(...args)
      const nobody = connectTables({ url: 'http://127.0.0.1:9', password: '' })
      const tables = {
        exec: gone(direct.exec, nobody.exec),
        query: gone(direct.query, nobody.query),
        insert: gone(direct.insert, nobody.insert),
      }
      const report = ({ state, error }: TableChange) => void changes.push(`${state} ${error?.code}`)
      const loading = topic.run(tables, {}, report)
      await topic.write(50, 20)
      await until(() => changes.length > 0, 'it noticed nothing')
      expect(loading.status()).toMatchObject([{ state: 'waiting', error: { code: 'KT6101' } }])
      away = false
      await caughtUp(topic, loading)
      await expectExact(direct, topic)
      expect(changes).toEqual(['waiting KT6101', 'loading undefined', 'idle undefined'])
      await nobody.close()
    })

    test('says that the table is of another log, and leaves it alone', async () => {
      const topic = new Topic('other')
      await topic.write(4, 5)
      const before = topic.run(direct)
      await caughtUp(topic, before)
      await before.stop()
      const fresh = new Topic('other')
      await fresh.write(2, 5)
      const loading = fresh.run(direct)
      await until(() => loading.status()[0]!.state === 'failed', 'it went on')
      expect(loading.status()[0]!.error).toMatchObject({ code: 'KT6104' })
      await expectExact(direct, topic)
    })

    test('is loaded anew after TRUNCATE and after DROP', async () => {
      const topic = new Topic('anew')
      await topic.write(4, 5)
      for (const sql of ['SELECT 1', 'TRUNCATE TABLE anew', 'DROP TABLE anew SYNC']) {
        await direct.exec(sql)
        const loading = topic.run(direct)
        await caughtUp(topic, loading)
        await loading.stop()
        await expectExact(direct, topic)
      }
    })

    test('is exact when ClickHouse is killed while it inserts', async () => {
      const topic = new Topic('kills')
      const loading = topic.run(direct, { lingerMs: 5, rowsMax: 2000 })
      for (let kill = 0; kill < 2; kill++) {
        const before = chdb.pid
        const writing = topic.write(10, 100)
        await pause(300)
        process.kill(before, 'SIGKILL')
        await writing
        await until(() => chdb.pid !== before, 'it was not started again')
      }
      await caughtUp(topic, loading)
      await expectExact(direct, topic)
    })
  },
)
