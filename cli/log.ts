import { KtError } from '../graph/error.ts'
import type { Plan } from '../graph/plan.ts'
import type { Log, ObjectStore } from '../graph/port.ts'
import { fileStore } from '../runtime/driver/files.ts'
import type { KafkaLog } from '../runtime/driver/kafka-log.ts'
import { segmentLog } from '../runtime/driver/segment-log.ts'
import type { KeptLog } from '../runtime/log.ts'
import { formatted } from '../runtime/format/formatted-log.ts'
import type { Unreadable } from '../runtime/format/sound.ts'
import { wantedTopics } from '../runtime/topics.ts'
import { accessOf, checkTopics } from './kafka.ts'
import type { KafkaPlace } from './kafka-place.ts'
import { registryOf } from './registry.ts'
import { foldersOf, loadRun } from './settings.ts'

/** The log of a run: embedded, or in Kafka, which keeps what it keeps whoever still reads. */
export type RunLog = Log & Pick<KeptLog, 'hold'>

/**
 * Open the log of a run, where the run says that it is. `graph`: whose topics may have to be made, and have
 * formats; without it records are handed out as they lie there. `unreadable` hears of records that cannot be
 * read, which are then passed over; without it they are errors (KT3001).
 */
export const openLog = async (root: string, graph?: Plan, unreadable?: Unreadable): Promise<RunLog> => {
  const { kafka, registry, graph: name } = loadRun(root) ?? {}
  const log = kafka === undefined ? await embedded(foldersOf(root).log) : await openKafka(kafka, graph, root)
  if (graph === undefined) return log
  const of = formatted(log, {
    topics: graph.topics,
    registry: registry === undefined ? undefined : registryOf(registry, root),
    prefix: prefixOf(kafka, name ?? graph.name),
    unreadable,
  })
  return { ...of, hold: (reader, positions) => log.hold(reader, positions) }
}

const embedded = (folder: string): Promise<RunLog> =>
  segmentLog(folder, {
    passedOver: ({ file, at, length }) =>
      console.error(JSON.stringify({ msg: 'damaged bytes of the log passed over', file, at, bytes: length })),
  })

/** What stands before the names of a graph's topics where others see them. */
export const prefixOf = (kafka: KafkaPlace | undefined, graph: string): string => kafka?.prefix ?? `${graph}.`

const openKafka = async (place: KafkaPlace, graph: Plan | undefined, root: string): Promise<RunLog> => {
  const log = await kafkaOf(place, graph, fileStore(foldersOf(root).objects))
  return {
    write: (shard) => log.write(shard),
    read: (from) => log.read(from),
    ends: () => log.ends(),
    hold: () => Promise.resolve(),
    close: () => log.close(),
  }
}

/** A log in Kafka, whose topics are made as the graph wants them. `ids`: where a run remembers them. */
export const kafkaOf = async (
  place: KafkaPlace,
  graph: Plan | undefined,
  ids?: ObjectStore,
): Promise<KafkaLog> => {
  const access = accessOf(place)
  const { kafkaLog } = await import('../runtime/driver/kafka-log.ts')
  // A run notes how many replicas its topics have, so that a part starts again while no broker answers.
  const wanted = graph === undefined ? [] : wantedTopics(graph, place, 1)
  return kafkaLog({
    brokers: place.brokers,
    prefix: place.prefix,
    access,
    ids,
    uses: wanted.map(({ name }) => name),
    topic: (name) => wanted.find((one) => one.name === name) ?? {},
    outage: ({ state, shard, error, lastedMs }) => {
      const lasted = state === 'begun' ? {} : { seconds: Math.round(lastedMs / 100) / 10 }
      const msg = state === 'begun' ? 'kafka takes no steps, tried again' : 'kafka takes steps again'
      console.error(JSON.stringify({ msg, shard, error: messageOf(error), ...lasted }))
    },
  })
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Before anything starts: can this folder have its log there, and may a run begin on it? */
export const checkLog = async (
  root: string,
  place: KafkaPlace | undefined,
  graph: Plan,
): Promise<KafkaPlace | undefined> => {
  const before = loadRun(root)
  const named = (kafka: KafkaPlace | undefined): string =>
    kafka === undefined ? 'in its folder' : `in Kafka, topics ${kafka.prefix}*`
  if (before !== undefined && named(before.kafka) !== named(place)) {
    throw new KtError('KT5012', `the run of this folder has its log ${named(before.kafka)}`, {
      where: root,
      why: `This one would have it ${named(place)}, where the states and tables of the folder do not belong.`,
      fix: 'Name another folder with --data, or set or unset KT_KAFKA_BROKERS and KT_KAFKA_PREFIX as before.',
    })
  }
  if (place === undefined) return undefined
  const { loadClient } = await import('../runtime/driver/kafka-client.ts')
  loadClient()
  return { ...place, replicas: await checkTopics(place, graph) }
}
