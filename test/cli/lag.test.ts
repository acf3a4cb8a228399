import { describe, expect, test } from 'vitest'
import { behind, endOf, stageReading } from '../../cli/lag.ts'
import type { Reading } from '../../cli/lag.ts'
import { foldersOf, writeRun } from '../../cli/settings.ts'
import { Columns } from '../../graph/columns.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import { trade } from '../../market/event.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { recordsOf } from '../../runtime/records.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { kt, temporary } from '../e2e/command.ts'
import { randomOf } from '../random.ts'
import { work } from '../runtime/stages-graph.ts'
import { newHome, runStages, START, tapsOf } from '../runtime/stages-world.ts'
import type { Home, Running } from '../runtime/stages-world.ts'

const logOf = ({ store }: Home) => new MemoryLog(new VirtualClock(START), { store })
const [, sums] = work.two.stages

/** Rows of topic "tap" that lie before what is said to be read, and rows that were made of them. */
const readAndMade = async (home: Home) => {
  const log = logOf(home)
  const ends = await log.ends()
  const reading = await stageReading(log, home.objects, work.two, sums!, ends)
  const rows = { read: 0, made: 0, waiting: 0 }
  for (const { topic, partition, next } of ends) {
    const position = reading.positions.find((one) => one.topic === topic && one.partition === partition)
    for await (const record of recordsOf(log, { topic, partition, offset: 0 }, next)) {
      if (topic === 'sum') rows.made += record.rows
      if (topic === 'tap') rows[record.offset < position!.offset ? 'read' : 'waiting'] += record.rows
    }
  }
  const [counted] = await behind(log, work.two.topics, ends, [reading])
  const taps = counted!.filter(({ topic }) => topic === 'tap')
  return { ...rows, behind: taps.reduce((sum, one) => sum + one.rows, 0), taps }
}

const ran = async (seed: number, how: Running): Promise<Home> => {
  const home = newHome()
  await runStages(work.two, home, tapsOf(seed), how).catch((error: Error) => {
    if (error.message !== 'enough') throw error
  })
  return home
}

describe('how far a stage that reads topics has come', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'is what it has made rows of, whatever it was doing when it died (seed %i)',
    async (seed) => {
      const draw = randomOf(seed)
      let lives = 0
      const deaths = [60 + draw(200)]
      const saving: NonNullable<Running['saving']> = (objects) => {
        if (lives++ > 0) throw new Error('enough')
        return objects
      }
      const home = await ran(seed, { deaths, saving, lingerMs: draw(40), turns: (below) => draw(below) })
      const found = await readAndMade(home)
      expect(found.read).toBe(found.made)
      expect(found.behind).toBe(found.waiting)
      expect(found.read + found.waiting).toBeGreaterThan(40)
    },
  )

  test('is all, once it has ended', async () => {
    const found = await readAndMade(await ran(1, {}))
    expect(found).toMatchObject({ read: 300, made: 300, waiting: 0, behind: 0 })
    expect(found.taps.map(({ oldest }) => oldest)).toEqual([undefined, undefined, undefined])
  })
})

describe('a reader', () => {
  const topic = work.two.topics.find(({ name }) => name === 'tap')!
  const at = (offset: number): Reading => ({
    reader: `at ${offset}`,
    kind: 'lake',
    positions: [{ topic: 'tap', partition: 0, offset }],
  })

  test('is behind by what it has not read, and by the age of the oldest row of that', async () => {
    const home = newHome()
    const log = logOf(home)
    const writer = await log.write('work/0/0')
    for (let step = 1; step <= 5; step++) {
      const columns = new Columns(logged(topic.schema))
      // The newest row stands first: the oldest of a record is not its first.
      for (const received of [START + 10 * step + 5, START + 10 * step])
        columns.add({ instrument: 'a1', value: 1, time: received, received })
      const { rows, bytes } = columns.take()
      const records = [{ topic: 'tap', partition: 0, schema: schemaId(topic.schema), rows, bytes }]
      await writer.append({ shard: 'work/0/0', step, time: START + 10 * step + 5, inputs: [], records })
    }
    const ends = await log.ends()
    expect(endOf(ends, 'tap', 0)).toMatchObject({ first: 0, next: 5 })
    const counted = await behind(log, [topic], ends, [at(0), at(3), at(5), at(6)])
    expect(counted.flat()).toMatchObject([
      { records: 5, rows: 10, oldest: START + 10, gone: 0, beyond: false },
      { records: 2, rows: 4, oldest: START + 40, gone: 0, beyond: false },
      { records: 0, rows: 0, oldest: undefined, gone: 0, beyond: false },
      { records: 0, rows: 0, oldest: undefined, beyond: true },
    ])
    const gone = await behind(log, [topic], [{ topic: 'tap', partition: 0, first: 2, next: 5 }], [at(1)])
    expect(gone.flat()).toMatchObject([{ records: 3, rows: 6, gone: 1 }])
  })
})

test('kt lag shows a run that ended before its sinks had begun, and fails over a limit', async () => {
  using folder = temporary()
  const folders = foldersOf(folder.path)
  writeRun(folder.path, { graph: 'basis', file: 'graph/basis.ts', source: 'sim', plan: {} })
  const log = await segmentLog(folders.log)
  const writer = await log.write('basis/0/0')
  const received = (Date.now() - 3_600_000) * 1000
  const columns = new Columns(logged(trade))
  const [venue, instrument] = ['binance', 'binance:spot:BTC-USDT']
  const rest = { id: '1', side: 'buy', price: 100, size: 1 }
  columns.add({ venue, instrument, time: received, received, first: 1, last: 1, ...rest })
  const records = [{ topic: 'trade', partition: 0, schema: schemaId(trade), ...columns.take() }]
  await writer.append({ shard: 'basis/0/0', step: 1, time: received, inputs: [], records })
  await log.close()
  const { code, out } = await kt('lag', '--data', folder.path, '--json', '--fail-over', '30m')
  const { readers, findings } = JSON.parse(out) as {
    readonly readers: readonly { reader: string; rows: number; ageMs: number | null }[]
    readonly findings: readonly string[]
  }
  expect(code).toBe(2)
  expect(findings.map((one) => one.split(' ')[0])).toEqual(['clickhouse.trade', 'lake.trade'])
  const late = readers.filter(({ rows }) => rows > 0)
  expect(late.map(({ reader, rows }) => [reader, rows])).toEqual([
    ['clickhouse.trade', 1],
    ['lake.trade', 1],
  ])
  for (const { ageMs } of late) expect(ageMs).toBeGreaterThan(3_599_000)
  const calm = await kt('lag', '--data', folder.path, '--fail-over', '1')
  expect([calm.code, /clickhouse\.trade +1 +1 +1 +6\d\.\d min/.test(calm.out)]).toEqual([0, true])
  const wrong = await kt('lag', '--data', folder.path, '--fail-over', '10K')
  expect(wrong.code).toBe(64)
})
