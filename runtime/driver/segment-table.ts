import { assert } from '../../graph/error.ts'
import type { Step } from '../../graph/port.ts'
import { Doubt } from './segment-doubt.ts'
import { inputsAt, lengthAt, recordsAt, stepAt, stepLengthAt } from './segment-frame.ts'
import type { Chunk, CodedStep, StepView } from './segment-frame.ts'
import { laneText, placeText, shardText } from './segment-name.ts'
import type { Extent, Lane, Last, Place, Shard, TableText } from './segment-name.ts'

/** A damaged step that says it came later than this behind the one before it is not believed. */
const STEP_APART_MAX_US = 3_600_000_000

/**
 * All that the log knows without its rows: which names have which numbers, how far each partition is, and
 * where each shard stands. The first frame of a segment is this table, and frames after it change it: so
 * reading one segment from its head gives the table at its end.
 */
export class Table {
  /**
   * By their numbers. A number whose name was never written is a hole: only what skips holes may walk these.
   */
  readonly places: Place[] = []
  readonly lanes: Lane[] = []
  readonly shards: Shard[] = []
  readonly doubt = new Doubt()
  /** By topic, then by partition: found for every record, so without making a key. */
  readonly #placesOf = new Map<string, Place[]>()
  readonly #shardOf = new Map<string, Shard>()

  place(topic: string, partition: number): Place {
    return this.known(topic, partition) ?? this.#addPlace(this.places.length, topic, partition)
  }

  known(topic: string, partition: number): Place | undefined {
    return this.#placesOf.get(topic)?.[partition]
  }

  lane(topic: string, partition: number, schema: string): Lane {
    const place = this.place(topic, partition)
    for (const lane of place.lanes) if (lane.schema === schema) return lane
    return this.#addLane(this.lanes.length, place, schema)
  }

  shard(name: string): Shard {
    return this.#shardOf.get(name) ?? this.#addShard(this.shards.length, name)
  }

  /** Take in a table frame. */
  define(text: TableText): void {
    if (text.whole === true) this.doubt.none()
    for (const [id, topic, partition, next, rows, bytes] of text.places) {
      const place = this.known(topic, partition) ?? this.#addPlace(id, topic, partition)
      Object.assign(place.staged, { next, rows, bytes })
    }
    for (const [id, at, schema] of text.lanes) {
      const place = this.places[at]
      assert(place !== undefined, `lane ${id} of a segment is in a place that the segment names`)
      const lane = place.lanes.find((one) => one.schema === schema) ?? this.#addLane(id, place, schema)
      lane.named = true
    }
    for (const [id, name, epoch, step, time, pairs] of text.shards) {
      const shard = this.#shardOf.get(name) ?? this.#addShard(id, name)
      Object.assign(shard, { epoch, step, time, inputs: new Map(pairs), named: true })
    }
  }

  /**
   * Take in a step, as it lies in a segment. Numbers whose names lay in a damaged frame are passed over: then
   * there is doubt.
   */
  follow(chunk: Chunk, at: number): void {
    const step = stepAt(chunk, at)
    const shard = this.shards[step.shard]
    if (shard !== undefined) {
      const { inputs } = shard
      inputsAt(chunk, at, step, (place, next) => {
        if (next < 0) inputs.delete(place)
        else inputs.set(place, next)
        this.doubt.input(shard, place)
      })
      Object.assign(shard, { step: step.step, time: step.time })
    }
    this.#count(chunk, at, step)
  }

  /**
   * Take in a damaged frame when it is a step whose head agrees with all that is known: then only batches of
   * it are damaged, as nearly all bytes of a log are batches. Returns its length; 0: it cannot be believed.
   */
  followDamaged(chunk: Chunk, at: number): number {
    const length = lengthAt(chunk, at)
    if (length === 0 || stepLengthAt(chunk, at) !== length) return 0
    const step = stepAt(chunk, at)
    const shard = this.shards[step.shard]
    if (shard === undefined || step.epoch !== shard.epoch || step.step !== shard.step + 1) return 0
    if (!(step.time >= shard.time && step.time - shard.time < STEP_APART_MAX_US)) return 0
    const nexts = new Map<Place, number>()
    let agrees = true
    recordsAt(chunk, at, step, (id, _, offset) => {
      const place = this.lanes[id]?.place
      const next = place === undefined ? -1 : (nexts.get(place) ?? place.staged.next)
      agrees &&= offset === next
      if (place !== undefined) nexts.set(place, next + 1)
    })
    if (!agrees) return 0
    if (step.inputs > 0) this.doubt.shard(shard)
    Object.assign(shard, { step: step.step, time: step.time })
    this.#count(chunk, at, step)
    return length
  }

  /** All that was defined and followed is durable. */
  arrived(): void {
    this.places.forEach(({ staged, durable }) => Object.assign(durable, staged))
    for (const shard of this.#shardOf.values()) shard.last = shard.step < 0 ? undefined : this.#lastOf(shard)
  }

  /** Take the next epoch of a shard; the returned text makes it so. */
  claim(name: string): { readonly shard: Shard; readonly text: TableText } {
    const shard = this.shard(name)
    shard.epoch++
    shard.named = true
    const places = Array.from(shard.inputs.keys(), (id) => placeText(this.places[id]!))
    return { shard, text: { places, lanes: [], shards: [shardText(shard)] } }
  }

  /** Give the step its numbers and offsets; `unnamed` lanes have to be named before it. */
  stage(step: Step, shard: Shard, lanes: readonly Lane[]): CodedStep {
    const offsets = lanes.map((lane, i) => {
      const { rows, bytes } = step.records[i]!
      lane.place.staged.rows += rows
      lane.place.staged.bytes += bytes.length
      return lane.place.staged.next++
    })
    shard.step = step.step
    shard.time = step.time
    return {
      shard: shard.id,
      epoch: shard.epoch,
      inputs: this.#changed(step, shard),
      lanes: lanes.map(({ id }) => id),
      offsets,
    }
  }

  /** What was staged has arrived. */
  settle(step: Step, shard: Shard, lanes: readonly Lane[]): void {
    shard.last = { step: step.step, time: step.time, inputs: step.inputs }
    lanes.forEach(({ place: { durable } }, i) => {
      durable.next++
      durable.rows += step.records[i]!.rows
      durable.bytes += step.records[i]!.bytes.length
    })
  }

  /** What was staged has not arrived, and never will. */
  forget(): void {
    this.places.forEach(({ staged, durable }) => Object.assign(staged, durable))
    this.lanes.forEach((lane) => (lane.named = false))
    for (const shard of this.#shardOf.values()) {
      const { step, time, inputs } = shard.last ?? { step: -1, time: 0, inputs: [] }
      const pairs = inputs.map(
        ({ topic, partition, next }) => [this.place(topic, partition).id, next] as const,
      )
      Object.assign(shard, { step, time, inputs: new Map(pairs), named: false })
    }
  }

  /** The head of a new segment, as all that is staged leaves things. */
  head(): TableText {
    this.lanes.forEach((lane) => (lane.named = true))
    for (const shard of this.#shardOf.values()) shard.named = true
    return { whole: true, ...this.text() }
  }

  /** The places that ever held a record; others are only read, from another log. */
  extents(): readonly Place[] {
    return this.places.filter(({ durable }) => durable.next > 0)
  }

  text(): TableText {
    return {
      places: this.places.flatMap((place) => [placeText(place)]),
      lanes: this.lanes.flatMap((lane) => [laneText(lane)]),
      shards: Array.from(this.#shardOf.values(), shardText),
    }
  }

  /** The lanes of the step, and what has to be said of names before it can be written. */
  naming(
    step: Step,
    shard: Shard,
  ): { readonly lanes: readonly Lane[]; readonly text: TableText | undefined } {
    const lanes = step.records.map(({ topic, partition, schema }) => this.lane(topic, partition, schema))
    const unnamed = lanes.some((lane) => !lane.named)
    const inputs = step.inputs.filter(
      (one) => !shard.named || !shard.inputs.has(this.place(one.topic, one.partition).id),
    )
    if (!unnamed && inputs.length === 0 && shard.named) return { lanes, text: undefined }
    const fresh = new Set(lanes.filter((lane) => !lane.named))
    const places = new Set(inputs.map((one) => this.place(one.topic, one.partition)))
    if (!shard.named) for (const id of shard.inputs.keys()) places.add(this.places[id]!)
    for (const lane of fresh) {
      lane.named = true
      places.add(lane.place)
    }
    const shards = shard.named ? [] : [shardText(shard)]
    shard.named = true
    return {
      lanes,
      text: { places: Array.from(places, placeText), lanes: Array.from(fresh, laneText), shards },
    }
  }

  #count(chunk: Chunk, at: number, step: StepView): void {
    recordsAt(chunk, at, step, (id, rows, offset, from, to) => {
      const staged = this.lanes[id]?.place.staged
      if (staged === undefined) return
      staged.next = offset + 1
      staged.rows += rows
      staged.bytes += to - from
    })
  }

  /** Only inputs that have moved are written. */
  #changed(step: Step, shard: Shard): readonly number[] {
    const known = shard.inputs
    const pairs: number[] = []
    for (const { topic, partition, next } of step.inputs) {
      const { id } = this.place(topic, partition)
      if (known.get(id) === next) continue
      known.set(id, next)
      pairs.push(id, next)
    }
    if (known.size === step.inputs.length) return pairs
    const kept = new Set(step.inputs.map(({ topic, partition }) => this.place(topic, partition).id))
    for (const id of known.keys()) {
      if (kept.has(id)) continue
      known.delete(id)
      pairs.push(id, -1)
    }
    return pairs
  }

  #lastOf({ step, time, inputs }: Shard): Last {
    const named = Array.from(inputs, ([id, next]) => ({
      topic: this.places[id]!.topic,
      partition: this.places[id]!.partition,
      next,
    }))
    return { step, time, inputs: named }
  }

  #addPlace(id: number, topic: string, partition: number): Place {
    const nothing = (): Extent => ({ next: 0, rows: 0, bytes: 0 })
    const place: Place = { id, topic, partition, staged: nothing(), durable: nothing(), lanes: [] }
    const places = this.#placesOf.get(topic) ?? []
    this.#placesOf.set(topic, places)
    places[partition] = place
    this.places[id] = place
    return place
  }

  #addLane(id: number, place: Place, schema: string): Lane {
    const lane: Lane = { id, place, schema, named: false }
    place.lanes.push(lane)
    this.lanes[id] = lane
    return lane
  }

  #addShard(id: number, name: string): Shard {
    const shard: Shard = {
      id,
      name,
      epoch: 0,
      step: -1,
      time: 0,
      inputs: new Map(),
      named: false,
      last: undefined,
    }
    this.shards[id] = shard
    this.#shardOf.set(name, shard)
    return shard
  }
}
