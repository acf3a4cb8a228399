import { parquet } from '../../sinks/driver/parquet.ts'
import { lake } from '../../sinks/lake.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { trade } from '../../market/event.ts'
import { memoryObjects, folderObjects, memoryLog, tradeRecords, virtualClock } from './lake-world.ts'
import { randomOf } from '../random.ts'

/**
 * Loads a log that is the same in every process into the folder argv[2], cut by events or as the seed argv[3]
 * says.
 */
const [, , root = '', seed = ''] = process.argv
const records = [0, 1].flatMap((partition) => tradeRecords(partition, 300, 5, 500))
const objects = folderObjects(root)
const below = randomOf(Number(seed))
const events = seed === 'events'
const clock = virtualClock()
const load = runLake({
  graph: 'test',
  sinks: [
    {
      topic: 'trade',
      partitions: 2,
      sink: lake(trade, { rollMs: 10_000, rowsMax: events ? 100_000 : 20 + below(60) }),
    },
  ],
  log: memoryLog(records, events ? () => 3 : below, clock),
  objects,
  clock,
  format: parquet,
  positions: memoryObjects(),
  checkpointEvery: 7,
  cut: events ? 'events' : 'clock',
})
await load.drain()
process.stdout.write('drained\n')
