import { Columns } from '../../graph/columns.ts'
import type { ObjectStore } from '../../graph/port.ts'
import {
  choice,
  count,
  float,
  int,
  logged,
  micros,
  name,
  optional,
  schema,
  schemaId,
} from '../../graph/schema.ts'
import type { AnySchema, Schema } from '../../graph/schema.ts'
import { since, widened } from '../../graph/schema-versions.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { MemoryLog, MemoryStore } from '../../runtime/memory-log.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { memoryObjects } from './lake-world.ts'
import { lake } from '../../sinks/index.ts'
import { runLake } from '../../sinks/lake/load.ts'

const START = 1_767_311_000_000_000
const of = (version: number, fields: object): AnySchema =>
  schema<never>(
    'tick' as never,
    'a tick',
    { instrument: name('which'), received: micros('when'), ...fields } as never,
    version,
  )
const one = of(1, { level: int('how deep'), many: int('how many'), side: choice('which', 'buy', 'sell') })

/** The second version of an event: all of its columns are wider, or new. */
export const evolvedTick = of(2, {
  level: widened(2, int(''), float('how deep')),
  many: widened(2, int(''), count('how many')),
  side: widened(2, choice('', 'buy', 'sell'), choice('which', 'buy', 'sell', 'none')),
  fee: since(2, optional(float('of it'))),
})

/** What every reader is asked of its table, and says. */
export const QUESTION = `select count(*) as n, count(fee) as fees, sum(level) as levels, sum(many) as many, max(side) as side from`
export const ANSWER = {
  n: 60,
  fees: 10,
  levels: 190 + 190 + 200,
  many: 380 + 20 * 2 ** 40 + 190,
  side: 'sell',
}

const rowsOf = (version: number) =>
  Array.from({ length: 20 }, (_, at) => ({
    instrument: 'a',
    received: START + version * 1000 + at,
    level: version === 1 ? at : at + 0.5,
    many: version === 1 ? at : 2 ** 40 + at,
    side: ['buy', 'sell', 'none'][at % (version + 1)]!,
    ...(version === 1 ? {} : { fee: at % 2 === 0 ? null : at / 8 }),
  }))

/** The table `tick`, with rows of both versions, and of records that were written before the second. */
export const writeVersions = async (objects: ObjectStore): Promise<void> => {
  const store = new MemoryStore()
  /** Write rows of a version, and load what the log has with the lake sink of another. */
  const load = async (written: AnySchema, sink: AnySchema, rows: readonly object[]): Promise<void> => {
    const log = new MemoryLog(new VirtualClock(START), { store })
    const writer = await log.write('own/0/0')
    const columns = new Columns(logged(written))
    rows.forEach((row, order) => columns.add(row, order))
    const records = [{ topic: 'tick', partition: 0, schema: schemaId(written), ...columns.take() }]
    const step = (writer.last?.step ?? 0) + 1
    await writer.append({ shard: 'own/0/0', step, time: START, inputs: [], records })
    const sinks = [{ topic: 'tick', partitions: 1, sink: lake(sink as Schema<never>) }]
    const positions = memoryObjects()
    const both = { objects, positions, clock: systemClock(), format: parquet }
    await runLake({ graph: 'own', log, ...both, sinks }).drain()
  }
  await load(one, one, rowsOf(1))
  // The new graph begins while a record of the old one is not loaded yet.
  await load(one, evolvedTick, rowsOf(1))
  await load(evolvedTick, evolvedTick, rowsOf(2))
}
