import { setTimeout as pause } from 'node:timers/promises'
import { KtError } from '../../graph/error.ts'
import type { Plan } from '../../graph/plan.ts'
import { alterTopics } from '../../runtime/driver/kafka-settings.ts'
import type { Difference } from '../../runtime/topics.ts'
import { loadGraph, planOf } from '../graph-file.ts'
import { accessOf, compareTopics, kafkaAsked } from '../kafka.ts'
import type { KafkaPlace } from '../kafka-place.ts'
import { kafkaOf } from '../log.ts'
import { EXIT, print, printJson, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { loadRun } from '../settings.ts'
import { table } from '../table.ts'

interface TopicsOptions extends GlobalOptions {
  readonly data?: string
}

/** What `kt topic apply` would change; exit code 2 when there is something. */
export const planned = async (file: string, options: TopicsOptions): Promise<number> => {
  const graph = planOf(await loadGraph(file))
  const place = placeOf(graph, options)
  const { wanted, differences } = await compareTopics(place, graph)
  if (options.json === true)
    printJson({ ok: differences.length === 0, brokers: place.brokers, prefix: place.prefix, differences })
  else if (differences.length === 0)
    print(`${wanted.length} topics ${place.prefix}* are as the graph wants them`)
  else show(place, differences)
  return differences.length === 0 ? EXIT.ok : EXIT.findings
}

/** Make topics, give them partitions, set their settings; exit code 2 when something is left as it was. */
export const apply = async (file: string, options: TopicsOptions): Promise<number> => {
  const graph = planOf(await loadGraph(file))
  const place = placeOf(graph, options)
  const { wanted, differences } = await compareTopics(place, graph)
  if (options.json !== true && differences.length > 0) show(place, differences)
  const [{ replicas } = { replicas: 1 }] = wanted
  const log = await kafkaOf({ ...place, replicas }, graph)
  try {
    const short = wanted.filter(({ name }) =>
      differences.some(({ topic, what }) => topic === name && (what === 'topic' || what === 'partitions')),
    )
    await log.topics.ensure(short.map(({ name, partitions }) => ({ topic: name, partition: partitions - 1 })))
  } finally {
    await log.close()
  }
  const names = [...new Set(differences.filter(isSetting).map(({ topic }) => topic))]
  await alterTopics(
    accessOf(place),
    names.map((name) => ({ name: place.prefix + name, config: settingsOf(name, differences) })),
  )
  const left = await remaining(place, graph)
  if (options.json === true) printJson({ ok: left.length === 0, changed: differences, left })
  else {
    say(`${differences.length - left.length} changed, ${left.length} left as they are`)
    for (const { topic, what, found, wanted: asked } of left)
      say(`! ${topic}: ${what} is ${found}, not ${asked}: this is for kafka-reassign-partitions or rpk`)
  }
  return left.length === 0 ? EXIT.ok : EXIT.findings
}

/** What is still different. Brokers hear of a change a little after it was made. */
const remaining = async (place: KafkaPlace, graph: Plan): Promise<readonly Difference[]> => {
  for (const until = performance.now() + SPREAD_MS; ; await pause(100)) {
    const { differences } = await compareTopics(place, graph)
    if (performance.now() > until || differences.every(({ fixed }) => fixed === true)) return differences
  }
}

const SPREAD_MS = 5000

const isSetting = ({ what }: Difference): boolean => !['topic', 'partitions', 'replicas'].includes(what)

const settingsOf = (name: string, all: readonly Difference[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    all.filter((one) => one.topic === name && isSetting(one)).map(({ what, wanted }) => [what, wanted]),
  )

const show = (place: KafkaPlace, differences: readonly Difference[]): void => {
  const rows = differences.map(({ topic, what, found, wanted, breaks }) => [
    place.prefix + topic,
    what,
    found,
    wanted,
    breaks ?? '',
  ])
  print(table(['topic', 'what', 'is', 'should be', 'a run refuses it because'], rows))
}

/** The Kafka of a run that is named, or the one that the next run would have its log in. */
const placeOf = (graph: Plan, { data }: TopicsOptions): KafkaPlace => {
  const place = data === undefined ? kafkaAsked(graph.name) : loadRun(data)?.kafka
  if (place !== undefined) return place
  throw new KtError('KT6430', 'no Kafka is named', {
    where: data ?? 'KT_KAFKA_BROKERS',
    why: 'The embedded log makes its topics as they are written, and has no settings for them.',
    fix: 'Set KT_KAFKA_BROKERS to host:port, or name with --data a run that has its log in Kafka.',
  })
}
