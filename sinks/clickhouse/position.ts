import type { ObjectStore, Partition } from '../../graph/port.ts'
import { Claims } from './claim.ts'
import type { ClickhouseSink } from './sink.ts'
import { HIGH, IDENTITY } from './tables.ts'
import type { Tables } from './tables.ts'

/**
 * The first offset of each partition of a topic that a table does not hold, as its sink would find it: what
 * the table has, and the newest claim, before which all is complete. 0: it holds none. Rejects when
 * ClickHouse does not answer.
 */
export const loadedTo = async (
  tables: Pick<Tables, 'query'>,
  objects: ObjectStore,
  sink: ClickhouseSink,
  topic: string,
  partitions: number,
): Promise<readonly number[]> => {
  const [found] = await tables.query(IDENTITY, { table: sink.table })
  const uuid = found?.['uuid']
  if (uuid === undefined) return Array.from({ length: partitions }, () => 0)
  const highs = await tables.query(HIGH, { table: sink.table, topic })
  const nexts: number[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const row = highs.find((one) => Number(one['_part']) === partition)
    const held = row === undefined ? 0 : Number(row['high']) + 1
    const claim = await new Claims(objects, folderOf(String(uuid), { topic, partition })).newest()
    // Without a TTL nothing leaves a table by itself: empty, it was truncated, and is loaded again.
    const known = claim !== undefined && (held > 0 || sink.ttlDays !== undefined)
    // A claim of several days is loaded a day at a time: it is complete when its last record is there.
    nexts.push(known && held <= claim.last ? claim.first : held)
  }
  return nexts
}

/**
 * The same from the claims alone, while ClickHouse is away: all before the newest claim is complete. Of
 * several tables of a topic it is the one that is least far.
 */
export const claimedTo = async (objects: ObjectStore, of: Partition): Promise<number> => {
  const uuids = new Set(
    (await objects.list(ROOT)).flatMap((path) => {
      const [uuid = '', topic, partition] = path.slice(ROOT.length).split('/')
      return topic === of.topic && partition === String(of.partition) ? [uuid] : []
    }),
  )
  const newest = await Promise.all([...uuids].map((uuid) => new Claims(objects, folderOf(uuid, of)).newest()))
  const firsts = newest.flatMap((claim) => (claim === undefined ? [] : [claim.first]))
  return firsts.length === 0 ? 0 : Math.min(...firsts)
}

const ROOT = 'positions/clickhouse/'
const folderOf = (uuid: string, { topic, partition }: Partition): string =>
  `${ROOT}${uuid}/${topic}/${partition}`
