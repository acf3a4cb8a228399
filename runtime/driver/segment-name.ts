import type { LogWriter } from '../../graph/port.ts'

/** How far a partition is: the next offset, and the rows and bytes of all that it ever held. */
export interface Extent {
  next: number
  rows: number
  bytes: number
}

/**
 * A topic partition with its number in the files. `staged` counts what is on its way, `durable` what has
 * arrived.
 */
export interface Place {
  readonly id: number
  readonly topic: string
  readonly partition: number
  readonly staged: Extent
  readonly durable: Extent
  /** Few: a place seldom has more than one schema. */
  readonly lanes: Lane[]
}

/** A schema in a place: what a record says in one number. */
export interface Lane {
  readonly id: number
  readonly place: Place
  readonly schema: string
  /** The segment being written has its name already. */
  named: boolean
}

export type Last = NonNullable<LogWriter['last']>

export interface Shard {
  readonly id: number
  readonly name: string
  epoch: number
  /** The step that was appended last, durable or not; -1: none was. */
  step: number
  time: number
  /** By place, as of that step. */
  inputs: Map<number, number>
  named: boolean
  /** The last durable step. */
  last: Last | undefined
}

/** Names and positions, as JSON in a table frame: numbers stand for names in all steps after it. */
export interface TableText {
  /** It has all names there are, and says of all how far they are. */
  readonly whole?: true
  readonly places: readonly PlaceText[]
  readonly lanes: readonly LaneText[]
  readonly shards: readonly ShardText[]
}
type PlaceText = readonly [
  id: number,
  topic: string,
  partition: number,
  next: number,
  rows: number,
  bytes: number,
]
type LaneText = readonly [id: number, place: number, schema: string]
type Pairs = readonly (readonly [place: number, next: number])[]
type ShardText = readonly [id: number, name: string, epoch: number, step: number, time: number, inputs: Pairs]

export const placeText = ({ id, topic, partition, staged: { next, rows, bytes } }: Place): PlaceText => [
  id,
  topic,
  partition,
  next,
  rows,
  bytes,
]
export const laneText = ({ id, place, schema }: Lane): LaneText => [id, place.id, schema]
export const shardText = ({ id, name, epoch, step, time, inputs }: Shard): ShardText => [
  id,
  name,
  epoch,
  step,
  time,
  [...inputs],
]
