import type { Plan } from '../graph/plan.ts'

/** How a topic of a distributed log is made. What is not said is the broker's default. */
export interface TopicSettings {
  readonly partitions?: number
  readonly replicas?: number
  /** `retention.ms`, `cleanup.policy`, `min.insync.replicas` and the like, as the brokers name them. */
  readonly config?: Readonly<Record<string, string>>
}

/** A topic as the brokers have it. */
export interface FoundTopic {
  readonly partitions: number
  readonly replicas: number
  readonly config: Readonly<Record<string, string>>
}

/** A topic as a graph wants it. */
export interface WantedTopic extends Required<TopicSettings> {
  readonly name: string
}

/** One thing that is not as it is wanted. */
export interface Difference {
  readonly topic: string
  /** `topic`, `partitions`, `replicas`, or a setting. */
  readonly what: string
  readonly found: string
  readonly wanted: string
  /** Why a run must not begin: rows would be lost, refused or be there twice. */
  readonly breaks?: string
  /** kt cannot change it. */
  readonly fixed?: boolean
}

/** kt's own topic, compacted by shard: the last durable step of each, written with the step itself. */
export const SHARDS = 'kt.shards'
/** Of the topic of the shards. Of two in one, one that died holds up the start of the other for a while. */
export const SHARD_PARTITIONS = 16
/** A record holds a batch, and the next one may be larger. */
export const MESSAGE_BYTES_MAX = 64 << 20
const MESSAGE_BYTES_LEAST = 8 << 20
const REPLICAS = 3

export interface Keeping {
  readonly retentionMs: number
  /** How many brokers hold each record; undefined: three, or as many as there are. */
  readonly replicas?: number | undefined
}

/** The topics of a graph, and the one in which its shards stand. */
export const wantedTopics = (
  plan: Pick<Plan, 'topics'>,
  { retentionMs, replicas: asked }: Keeping,
  brokers: number,
): readonly WantedTopic[] => {
  const replicas = asked ?? Math.min(REPLICAS, brokers)
  const both = {
    'min.insync.replicas': leastOf(replicas),
    'max.message.bytes': String(MESSAGE_BYTES_MAX),
    'unclean.leader.election.enable': 'false',
    // By the clock of a writer brokers refuse what is an hour ahead, and let go of what is too far behind.
    'message.timestamp.type': 'LogAppendTime',
  }
  const kept = { 'cleanup.policy': 'delete', 'retention.ms': String(retentionMs), 'retention.bytes': '-1' }
  return [
    ...plan.topics.map(({ name, partitions }) => ({
      name,
      partitions,
      replicas,
      config: { ...both, ...kept },
    })),
    { name: SHARDS, partitions: SHARD_PARTITIONS, replicas, config: { ...both, ...SHARD_CONFIG } },
  ]
}

/** No row may be in one broker alone, where there are others; and of three, one may be away. */
const leastOf = (replicas: number): string => String(replicas < 3 ? replicas : replicas - 1)

/** Small segments: who takes a shard reads what has not been compacted yet. */
export const SHARD_CONFIG = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(16 << 20),
  'segment.ms': '600000',
  'min.cleanable.dirty.ratio': '0.1',
}

/** What is not as it is wanted, and what of that a run must not begin with. */
export const differencesOf = (wanted: WantedTopic, found: FoundTopic | undefined): readonly Difference[] => {
  const topic = wanted.name
  if (found === undefined) return [{ topic, what: 'topic', found: 'none', wanted: 'new' }]
  const counts = (['partitions', 'replicas'] as const).flatMap((what): readonly Difference[] => {
    const [is, asked] = [found[what], wanted[what]]
    // More partitions than the graph writes stay empty, and more replicas do no harm.
    if (is >= asked) return []
    const pair = { topic, what, found: String(is), wanted: String(asked) }
    if (what === 'replicas') return [{ ...pair, fixed: true }]
    return [{ ...pair, breaks: 'rows of the missing partitions have no place' }]
  })
  const config = Object.entries(wanted.config).flatMap(([what, value]): readonly Difference[] => {
    // More than there are would be a topic that nobody can write to.
    const fewer = what === 'min.insync.replicas' && found.replicas < wanted.replicas
    const asked = fewer ? leastOf(found.replicas) : value
    const is = found.config[what] ?? 'unknown'
    if (is === asked || is === 'unknown') return []
    const breaks = breaksOf(what, is, wanted, found)
    return [{ topic, what, found: is, wanted: asked, ...(breaks === undefined ? {} : { breaks }) }]
  })
  return [...counts, ...config]
}

const breaksOf = (
  what: string,
  is: string,
  wanted: WantedTopic,
  { replicas }: FoundTopic,
): string | undefined => {
  if (what === 'cleanup.policy') {
    return wanted.name === SHARDS
      ? 'where a shard stands would be forgotten, and its steps written twice'
      : 'brokers would remove single rows, or refuse them for having no key'
  }
  if (what === 'max.message.bytes' && Number(is) < MESSAGE_BYTES_LEAST)
    return 'brokers would refuse a large batch, and the shard could not go on'
  if (what === 'min.insync.replicas' && Number(is) > replicas) return 'brokers would refuse every row'
  if (replicas < 2) return undefined
  if (what === 'min.insync.replicas' && Number(is) < 2)
    return 'a row that one broker alone has acknowledged is lost with it'
  if (what === 'unclean.leader.election.enable')
    return 'a broker that lacks acknowledged rows may become the leader'
  return undefined
}
