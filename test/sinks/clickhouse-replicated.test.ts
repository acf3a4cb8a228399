import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { KtError } from '../../graph/error.ts'
import { trade } from '../../market/event.ts'
import { marketTables } from '../../sinks/clickhouse/market.ts'
import { ready } from '../../sinks/clickhouse/migrate.ts'
import { replicationOf, SHARDS } from '../../sinks/clickhouse/replication.ts'
import { clickhouse } from '../../sinks/clickhouse/sink.ts'
import type { ClickhouseSink } from '../../sinks/clickhouse/sink.ts'
import { createTable, describedAs } from '../../sinks/clickhouse/table.ts'
import { DESCRIBE, IDENTITY } from '../../sinks/clickhouse/tables.ts'
import type { Row, Tables } from '../../sinks/clickhouse/tables.ts'
import { connectTables } from '../../sinks/driver/clickhouse.ts'
import { start } from './chdb-start.ts'
import { caughtUp, expectExact, stopAll, Topic } from './clickhouse-topic.ts'

const CLUSTER = { cluster: 'kt' }
const sink = clickhouse(trade)

const failure = async (work: Promise<unknown>): Promise<KtError> => {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof KtError) return thrown
  throw new Error(`expected one of kt's errors, not ${String(thrown)}`)
}

/** A server that has a table of this engine, or none yet, and a cluster of some shards. */
const server = (engine: string | undefined, replication: Tables['replication'], shards = 1) => {
  const said: string[] = []
  let has = engine
  const tables: Tables = {
    replication,
    exec: async (sql) => {
      said.push(sql)
      has ??= 'ReplicatedMergeTree'
    },
    query: async (sql): Promise<readonly Row[]> => {
      if (sql === IDENTITY) return has === undefined ? [] : [{ uuid: '1', engine: has }]
      if (sql === SHARDS) return [{ shards: String(shards) }]
      return sql === DESCRIBE ? describedAs(trade) : []
    },
    insert: async () => {},
  }
  return { tables, said }
}

describe('how tables are replicated', () => {
  test.each([
    [undefined, undefined],
    ['', undefined],
    ['database', { cluster: undefined }],
    ['cluster:kt', { cluster: 'kt' }],
    ['cluster:{cluster}', { cluster: '{cluster}' }],
  ] as const)('%s is understood', (text, told) => expect(replicationOf(text)).toEqual(told))

  test.each(['yes', 'cluster:', "cluster:a' SYNC", 'cluster:{a'])('%s is not', (text) =>
    expect(() => replicationOf(text)).toThrow(expect.objectContaining({ code: 'KT6109' })),
  )
})

describe('a table that is to be replicated', () => {
  test('is made once, on all servers of the cluster: a server that is down later holds up nobody', async () => {
    const { tables, said } = server(undefined, CLUSTER)
    await ready(tables, sink)
    await ready(tables, sink)
    expect(said).toEqual([expect.stringContaining("`trade` ON CLUSTER 'kt'\n")])
  })

  test('is not made where the cluster has more shards than one, or is not known', async () => {
    for (const [shards, why] of [
      [2, 'It has 2 shards'],
      [0, 'no such cluster'],
    ] as const) {
      const { tables, said } = server(undefined, CLUSTER, shards)
      const error = await failure(ready(tables, sink))
      expect([error.code, error.why, said]).toEqual(['KT6109', expect.stringContaining(why), []])
    }
  })

  test.each([
    ['MergeTree', CLUSTER, 'ATTACH TABLE `trade` AS REPLICATED'],
    ['MergeTree', { cluster: undefined }, 'move the table away'],
    ['ReplicatedMergeTree', undefined, 'Set KT_CLICKHOUSE_REPLICATED'],
  ] as const)('is refused as %s with %j, and the way on is said', async (engine, replication, fix) => {
    const { tables, said } = server(engine, replication)
    const error = await failure(ready(tables, sink))
    expect([error.code, error.fix, said]).toEqual(['KT6103', expect.stringContaining(fix), []])
    expect(error.why).toContain(`Its engine is ${engine}`)
  })

  test.each([
    ['ReplicatedMergeTree', CLUSTER],
    ['SharedMergeTree', undefined],
    ['SharedMergeTree', CLUSTER],
  ] as const)('fits as %s with %j', async (engine, replication) => {
    expect(await ready(server(engine, replication).tables, sink)).toBe('1')
  })
})

describe('a server with replicated tables', () => {
  test('is asked for a majority by inserts, and for all that was acknowledged by questions', async () => {
    const asked: URLSearchParams[] = []
    const web = createServer((request, response) => {
      asked.push(new URL(request.url!, 'http://host').searchParams)
      request.resume().on('end', () => response.end())
    })
    await new Promise<void>((listening) => web.listen(0, '127.0.0.1', listening))
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`
    const plain = connectTables({ url })
    const replicated = connectTables({ url, replication: CLUSTER })
    for (const tables of [plain, replicated]) {
      await tables.insert('trade', { schema: trade, records: [] }, { token: 't', comment: 'c' })
      await tables.query('SELECT 1', {})
      await tables.exec('ALTER TABLE trade ADD COLUMN a Int8')
    }
    const settings = [
      'insert_quorum',
      'insert_quorum_parallel',
      'select_sequential_consistency',
      'alter_sync',
    ]
    expect(asked.map((one) => settings.map((name) => one.get(name)))).toEqual([
      [null, null, null, null],
      [null, null, '1', null],
      [null, null, null, null],
      ['auto', '0', null, null],
      [null, null, '1', null],
      [null, null, null, '2'],
    ])
    await Promise.all([plain.close(), replicated.close()])
    web.close()
  })
})

const started = await start()
afterAll(() => started?.end())
afterEach(stopAll)

describe.skipIf(started === undefined)(
  'replicated tables in the engine (skipped where it cannot run)',
  () => {
    if (started === undefined) return
    const tables = started.tables()

    /** The statement for one server, with a place in Keeper that needs no cluster. */
    const aloneOf = (of: ClickhouseSink): string =>
      createTable(of, CLUSTER)
        .replace(" ON CLUSTER 'kt'", '')
        .replace("'/clickhouse/tables/{uuid}/{shard}', '{replica}'", "'/clickhouse/tables/a/1', 'r1'")

    /** Everything in the statement is understood, and what is missing is Keeper. */
    test.each(marketTables.map((one) => [one.table, one] as const))(
      '%s is made as far as Keeper is asked',
      async (_, one) => {
        const sql = aloneOf({ ...one, table: `replicated_${one.table}` })
        const error = await failure(tables.exec(sql))
        expect(error.why).toMatch(/Code: 225\.|NO_ZOOKEEPER|without ZooKeeper/)
      },
    )

    test('a setting that the engine does not know is said before Keeper is asked', async () => {
      const sql = aloneOf(sink).replace('replicated_deduplication_window =', 'no_such_window =')
      expect((await failure(tables.exec(sql))).why).toContain('no_such_window')
    })

    test('the statement for a cluster is understood', async () => {
      const sql = createTable(sink, { cluster: '{cluster}' })
      const [row] = await tables.query('SELECT formatQuerySingleLine({sql:String}) AS formatted', { sql })
      expect(row?.['formatted']).toContain('trade ON CLUSTER `{cluster}`')
      expect((await failure(tables.exec(createTable(sink, CLUSTER)))).why).toMatch(/cluster 'kt'|CLUSTER/)
    })

    test('the number of shards is asked in words that the engine knows', async () => {
      expect(await tables.query(SHARDS, { cluster: 'no-such' })).toEqual([{ shards: '0' }])
      expect((await failure(tables.query(SHARDS, { cluster: '{no_such}' }))).why).toContain('no_such')
    })

    test('inserts go one after the other, with settings that the engine takes, and are exact', async () => {
      const replicated = started.tables({ replication: { cluster: undefined } })
      const topic = new Topic('one_by_one')
      let [running, most] = [0, 0]
      const insert: typeof replicated.insert = async (...asked) => {
        most = Math.max(most, ++running)
        await replicated.insert(...asked).finally(() => running--)
      }
      await ready(tables, topic.sink)
      // The engine has no Keeper: of the table, only the name of its engine is another.
      const query: typeof replicated.query = async (sql, parameters) => {
        const rows = await replicated.query(sql, parameters)
        return sql === IDENTITY ? rows.map((row) => ({ ...row, engine: 'ReplicatedMergeTree' })) : rows
      }
      const loading = topic.run({ ...replicated, query, insert })
      await topic.write(30, 30)
      await caughtUp(topic, loading)
      await expectExact(tables, topic)
      expect(most).toBe(1)
    })
  },
)
