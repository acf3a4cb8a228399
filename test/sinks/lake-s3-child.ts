import { trade } from '../../market/event.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { s3Store } from '../../runtime/driver/s3.ts'
import type { S3Options, S3Place } from '../../runtime/driver/s3.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { lake } from '../../sinks/lake.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { randomOf } from '../random.ts'
import { memoryObjects, memoryLog, tradeRecords } from './lake-world.ts'

/** Loads a log that is the same in every process into S3: argv[2] says where, argv[3] is the seed. */
const [, , where = '', seed = ''] = process.argv
const { place, credentials } = JSON.parse(where) as {
  readonly place: S3Place
  readonly credentials: NonNullable<S3Options['credentials']>
}
const below = randomOf(Number(seed))
const clock = systemClock()
const load = runLake({
  graph: 'test',
  sinks: [{ topic: 'trade', partitions: 2, sink: lake(trade, { rollMs: 5, rowsMax: 10 + below(30) }) }],
  log: memoryLog(
    [0, 1].flatMap((partition) => tradeRecords(partition, 120, 5, 500)),
    below,
  ),
  objects: s3Store(place, { clock, random: { below }, credentials }),
  clock,
  format: parquet,
  positions: memoryObjects(),
  checkpointEvery: 7,
})
await load.drain()
process.exit(0)
