import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadGraph, planOf } from '../../cli/graph-file.ts'
import { instrumentsIn, reread } from '../../cli/letters-replay.ts'
import { foldersOf, loadRun } from '../../cli/settings.ts'
import { Columns } from '../../graph/columns.ts'
import type { Log, Placed } from '../../graph/port.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import { trade } from '../../market/event.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { FileDeadLetters, fileLetters } from '../../runtime/driver/dead-letters.ts'
import type { StoredLetter } from '../../runtime/driver/dead-letters.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { shardOf } from '../../runtime/producer.ts'
import { recordsOf } from '../../runtime/records.ts'
import { runClickhouse } from '../../sinks/clickhouse/load.ts'
import { claimedTo, loadedTo } from '../../sinks/clickhouse/position.ts'
import type { ClickhouseSink } from '../../sinks/clickhouse/sink.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { kt } from '../e2e/command.ts'
import { start } from '../sinks/chdb-start.ts'
import { until } from '../sinks/clickhouse-topic.ts'
import { rowsInLake, rowsInLog } from '../sinks/lake-check.ts'
import { toldOf } from './rows.ts'
import type { Told } from './rows.ts'

/**
 * What a release said of the data folder that it left. A 0.1.0 wrote down neither where the sinks of its lake
 * began nor which ids its topics in Kafka had: a run of today finds nothing there, and that must do.
 */
interface Left {
  readonly rows: Told
  readonly table: { readonly uuid: string; readonly made: string }
  /** By partition, where its table of the lake stands. */
  readonly lake: readonly number[]
}

const plan = planOf(await loadGraph('test/history/small-graph.ts'))
const topic = plan.topics.find(({ name }) => name === 'trade')!
const shard = shardOf(plan.stages[0]!)
const work = mkdtempSync(join(tmpdir(), 'kt-history-'))
const started = await start()
afterAll(async () => {
  await started?.end()
  rmSync(work, { recursive: true, force: true })
})

/** A step of new trades, behind what the release wrote. */
const goOn = async (log: Log): Promise<void> => {
  const writer = await log.write(shard)
  const { step, time, inputs } = writer.last!
  const columns = new Columns(logged(trade))
  for (let n = 0; n < 20; n++) {
    const about = { venue: 'binance', instrument: 'binance:spot:BTC-USDT', time, received: time + n }
    columns.add({ ...about, first: n, last: n, id: `new${n}`, side: 'buy', price: n, size: 1 }, n)
  }
  const record = { topic: 'trade', partition: 1, schema: schemaId(trade), ...columns.take() }
  await writer.append({ shard, step: step + 1, time, inputs, records: [record] })
  await writer.close()
}

const placedIn = async (log: Log): Promise<readonly Placed[]> => {
  const found: Placed[] = []
  for (const { topic: name, partition, first, next } of await log.ends())
    if (name === 'trade')
      for await (const one of recordsOf(log, { topic: name, partition, offset: first }, next)) found.push(one)
  return found
}

const lettersIn = async (folder: string): Promise<readonly StoredLetter[]> => {
  const found: StoredLetter[] = []
  for await (const one of fileLetters(folder).letters()) found.push(one)
  return found
}

const releases = readdirSync(import.meta.dirname).filter((name) =>
  existsSync(join(import.meta.dirname, name, 'small')),
)

describe.each(releases)('in a data folder of %s', (release) => {
  const left = join(import.meta.dirname, release, 'small')
  const told = JSON.parse(readFileSync(join(left, 'told.json'), 'utf8')) as Left
  let copies = 0
  const copied = (): string => {
    const folder = join(work, `${release}-${copies++}`)
    cpSync(left, folder, { recursive: true })
    return folder
  }

  test('run.json is that of a run, whose plan is compared with the graph of today', async () => {
    const folder = copied()
    expect(loadRun(folder)).toMatchObject({ graph: 'small', source: 'sim', clickhouse: { user: 'default' } })
    const { code, out, err } = await kt('graph', 'plan', 'test/history/small-graph.ts', '--data', folder)
    expect(code, err).toBe(0)
    expect(out).toMatch(/ would /)
  })

  test('dead letters are listed, read again and removed, and new ones join them', async () => {
    const folder = copied()
    const where = foldersOf(folder).deadLetters
    const letters = await lettersIn(where)
    expect(letters.length).toBeGreaterThan(3)
    const { out, err } = await kt('dlq', 'list', '--data', folder, '--json')
    expect(JSON.parse(out), err).toHaveLength(letters.length)
    const log = await segmentLog(foldersOf(folder).log)
    const known = await instrumentsIn(log).finally(() => log.close())
    const codes = reread(plan, letters, known).map(({ id, error }) => [id, error?.split(' ')[0]])
    expect(codes.toSorted()).toEqual(
      letters.map(({ id, letter }) => [id, letter.error.split(' ')[0]]).toSorted(),
    )
    const writing = new FileDeadLetters(where)
    writing.add({ ...letters[0]!.letter, frame: 10 ** 9 })
    await writing.close()
    await fileLetters(where).remove(new Set([letters[1]!.id]))
    const frames = (await lettersIn(where)).map(({ letter }) => letter.frame)
    const old = letters.filter((_, at) => at !== 1).map(({ letter }) => letter.frame)
    expect(frames).toEqual([...old, 10 ** 9])
  })

  test.skipIf(started === undefined)('the newest claim of ClickHouse is loaded as it was cut', async () => {
    const folder = copied()
    const log = await segmentLog(foldersOf(folder).log)
    expect(await toldOf(log, topic, told.rows.columns)).toEqual(told.rows)
    const objects = fileStore(foldersOf(folder).objects)
    const tables = started!.tables()
    await tables.exec('DROP TABLE IF EXISTS trade SYNC')
    await tables.exec(told.table.made.replace('kt.trade', `trade UUID '${told.table.uuid}'`))
    const sink = plan.sinks.find((one) => one.sink.name === 'clickhouse.trade')!.sink as ClickhouseSink
    const first = await claimedTo(objects, { topic: 'trade', partition: 1 })
    expect(first).toBeGreaterThan(0)
    const before = (await placedIn(log)).filter(({ offset }) => offset < first)
    await tables.insert('trade', { schema: trade, records: before }, { token: 'before', comment: 'before' })
    expect(await loadedTo(tables, objects, sink, 'trade', 2)).toEqual([0, first])
    await goOn(log)
    const all = await placedIn(log)
    const tokens: string[] = []
    const loading = runClickhouse({
      ...{ log, objects, clock: systemClock() },
      tables: {
        ...tables,
        insert: (table, rows, label) => {
          tokens.push(label.token)
          return tables.insert(table, rows, label)
        },
      },
      sinks: [{ topic: 'trade', partitions: 2, sink }],
    })
    const end = all.at(-1)!.offset + 1
    await until(() => loading.status()[0]!.partitions[1]!.next === end, 'it did not catch up')
    await loading.stop()
    expect(tokens).toHaveLength(2)
    expect(tokens[0]).toContain(`clickhouse.trade/trade/1/${first}-${end - 2}/`)
    const sql = "SELECT concat(_off, ' ', _row, ' ', id) AS row FROM trade ORDER BY _off, _row"
    expect((await tables.query(sql, {})).map(({ row }) => row)).toEqual(rowsInLog(all)['trade/1'])
    await log.close()
  })

  test.each([
    ['its log', (): void => {}],
    [
      'its checkpoint alone',
      (deltas: string): void => {
        const { version } = JSON.parse(readFileSync(join(deltas, '_last_checkpoint'), 'utf8'))
        for (const name of readdirSync(deltas))
          if (/^\d+\.json$/.test(name) && Number.parseInt(name, 10) <= version) rmSync(join(deltas, name))
      },
    ],
  ])('the lake goes on from the positions in %s', async (_, cut) => {
    const folder = copied()
    const places = foldersOf(folder)
    cut(join(places.lake, 'trade/_delta_log'))
    const log = await segmentLog(places.log)
    const objects = fileStore(places.lake)
    const before = (await rowsInLake(objects))['trade/1']!
    expect(before).toEqual(rowsInLog(await placedIn(log))['trade/1'])
    await goOn(log)
    const sinks = plan.sinks.filter(({ sink }) => sink.name === 'lake.trade')
    const run = { graph: plan.name, log, objects, clock: systemClock(), format: parquet }
    const load = runLake({
      ...{ ...run, positions: fileStore(places.objects) },
      sinks: sinks.map(({ sink }) => ({ topic: 'trade', partitions: 2, sink })),
    })
    await load.drain()
    expect(load.status()[0]).toMatchObject({ rows: 20, partitions: [{}, { next: told.lake[1]! + 1 }] })
    expect((await rowsInLake(objects))['trade/1']).toEqual(rowsInLog(await placedIn(log))['trade/1'])
    await log.close()
  })
})
