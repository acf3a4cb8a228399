import { crc32 } from 'node:zlib'
import type { Step } from '../../graph/port.ts'

/**
 * A segment is a row of frames, each a multiple of 8 bytes long, little-endian:
 *
 *     0  u32 length   of all of it
 *     4  u32 crc32    of what follows
 *     8  u8[4]        'k' 't' version kind
 * 12  u32 durable  how much of this segment was durable when this frame was written
 *
 * `table`: u32 length, JSON. Names get their numbers here; the first frame of a segment is a table of all
 * names, offsets and shards, so that a segment needs no other. `step`: f64 step, f64 time, u32 shard, u32
 * epoch, u32 inputs, u32 records; an input is u32 place, f64 next; a record is u32 lane, u32 rows, u32
 * length, f64 offset; then the batches, each padded to 8 bytes, so that a batch in an aligned buffer is read
 * where it lies.
 */
export const TABLE = 1
export const STEP = 2
export const INDEX = 3
export type Kind = typeof TABLE | typeof STEP | typeof INDEX

export const HEAD_BYTES = 16
const STEP_BYTES = 48
const INPUT_BYTES = 12
const RECORD_BYTES = 20
const MARK = 0x01_74_6b // 'k' 't' 1

export const padded = (length: number): number => Math.ceil(length / 8) * 8

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Frames on their way to the disk. */
export class Frames {
  bytes: Uint8Array
  length = 0
  #view: DataView

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.bytes.buffer)
  }

  clear(): void {
    this.length = 0
  }

  table(table: object, durable: number, kind: Kind = TABLE): void {
    const text = encoder.encode(JSON.stringify(table))
    const at = this.#begin(padded(HEAD_BYTES + 4 + text.length), kind, durable)
    this.#view.setUint32(at + HEAD_BYTES, text.length, true)
    this.bytes.set(text, at + HEAD_BYTES + 4)
    this.#end(at)
  }

  /**
   * Names come as numbers: `inputs` are pairs of place and next; `lanes` and `offsets` go with the step's
   * records.
   */
  step(step: Step, coded: CodedStep, durable: number): void {
    const { records } = step
    const { inputs, lanes, offsets } = coded
    const table = padded(STEP_BYTES + (inputs.length / 2) * INPUT_BYTES + records.length * RECORD_BYTES)
    const at = this.#begin(
      records.reduce((sum, { bytes }) => sum + padded(bytes.length), table),
      STEP,
      durable,
    )
    const view = this.#view
    view.setFloat64(at + 16, step.step, true)
    view.setFloat64(at + 24, step.time, true)
    view.setUint32(at + 32, coded.shard, true)
    view.setUint32(at + 36, coded.epoch, true)
    view.setUint32(at + 40, inputs.length / 2, true)
    view.setUint32(at + 44, records.length, true)
    let next = at + STEP_BYTES
    for (let i = 0; i < inputs.length; i += 2, next += INPUT_BYTES) {
      view.setUint32(next, inputs[i]!, true)
      view.setFloat64(next + 4, inputs[i + 1]!, true)
    }
    let body = at + table
    for (let i = 0; i < records.length; i++, next += RECORD_BYTES) {
      const { rows, bytes } = records[i]!
      view.setUint32(next, lanes[i]!, true)
      view.setUint32(next + 4, rows, true)
      view.setUint32(next + 8, bytes.length, true)
      view.setFloat64(next + 12, offsets[i]!, true)
      this.bytes.set(bytes, body)
      // A call into native code that has nothing to do costs as much as one that has.
      if (bytes.length % 8 !== 0) this.bytes.fill(0, body + bytes.length, body + padded(bytes.length))
      body += padded(bytes.length)
    }
    this.bytes.fill(0, next, at + table)
    this.#end(at)
  }

  #begin(length: number, kind: Kind, durable: number): number {
    const at = this.length
    if (at + length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.bytes.length * 2, at + length))
      grown.set(this.bytes.subarray(0, at))
      this.bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    this.length = at + length
    this.#view.setUint32(at, length, true)
    this.#view.setUint32(at + 8, MARK | (kind << 24), true)
    this.#view.setUint32(at + 12, durable, true)
    if (kind !== STEP) this.bytes.fill(0, this.length - 8, this.length)
    return at
  }

  #end(at: number): void {
    this.#view.setUint32(at + 4, crc32(this.bytes.subarray(at + 8, this.length)), true)
  }
}

export interface CodedStep {
  readonly shard: number
  readonly epoch: number
  readonly inputs: readonly number[]
  readonly lanes: readonly number[]
  readonly offsets: readonly number[]
}

/** Bytes of a segment that begin at a frame, and where they lie in it. */
export interface Chunk {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Of the first byte, in its segment. */
  readonly position: number
}

export const chunkOf = (bytes: Uint8Array, position: number): Chunk => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  position,
})

/**
 * The length of the frame at `at` (0: there is none that can be believed). Not more than `bytes` holds is
 * looked at.
 */
export const lengthAt = ({ view, bytes }: Chunk, at: number): number => {
  if (at + HEAD_BYTES > bytes.length) return 0
  const length = view.getUint32(at, true)
  const marked = (view.getUint32(at + 8, true) & 0xff_ff_ff) === MARK
  return marked && length >= HEAD_BYTES && length % 8 === 0 ? length : 0
}

/** The frame at `at` is all there, and as it was written. */
export const soundAt = (chunk: Chunk, at: number, length: number): boolean =>
  length > 0 &&
  at + length <= chunk.bytes.length &&
  chunk.view.getUint32(at + 4, true) === crc32(chunk.bytes.subarray(at + 8, at + length))

/** Where the next sound frame begins at or after `at`, or -1. Only damage makes anybody look. */
export const soundAfter = (chunk: Chunk, at: number): number => {
  for (let next = at; next + HEAD_BYTES <= chunk.bytes.length; next += 8) {
    if (soundAt(chunk, next, lengthAt(chunk, next))) return next
  }
  return -1
}

export const kindAt = ({ bytes }: Chunk, at: number): number => bytes[at + 11]!
export const durableAt = ({ view }: Chunk, at: number): number => view.getUint32(at + 12, true)

/**
 * How long the frame at `at` would be, as its own counts and the lengths of its records have it, if it is a
 * step; 0: they do not fit in the chunk. So whether a damaged one can be believed.
 */
export const stepLengthAt = (chunk: Chunk, at: number): number => {
  const { bytes } = chunk
  if (at + STEP_BYTES > bytes.length || kindAt(chunk, at) !== STEP) return 0
  const step = stepAt(chunk, at)
  const table = padded(STEP_BYTES + step.inputs * INPUT_BYTES + step.records * RECORD_BYTES)
  if (at + table > bytes.length) return 0
  let end = at + table
  recordsAt(chunk, at, step, (_, __, ___, from, to) => void (end += padded(to - from)))
  return end <= bytes.length ? end - at : 0
}

/** The JSON of a table; its crc has been checked. */
export const tableAt = ({ view, bytes }: Chunk, at: number): unknown => {
  const length = view.getUint32(at + HEAD_BYTES, true)
  return JSON.parse(decoder.decode(bytes.subarray(at + HEAD_BYTES + 4, at + HEAD_BYTES + 4 + length)))
}

/** A step as it lies in a chunk: nothing is copied. */
export interface StepView {
  readonly step: number
  readonly time: number
  readonly shard: number
  readonly epoch: number
  readonly inputs: number
  readonly records: number
}

export const stepAt = ({ view }: Chunk, at: number): StepView => ({
  step: view.getFloat64(at + 16, true),
  time: view.getFloat64(at + 24, true),
  shard: view.getUint32(at + 32, true),
  epoch: view.getUint32(at + 36, true),
  inputs: view.getUint32(at + 40, true),
  records: view.getUint32(at + 44, true),
})

/**
 * Each input of the step at `at`: its place and the next offset there, -1 when the shard reads it no more.
 */
export const inputsAt = (
  { view }: Chunk,
  at: number,
  step: StepView,
  each: (place: number, next: number) => void,
): void => {
  for (let i = 0, next = at + STEP_BYTES; i < step.inputs; i++, next += INPUT_BYTES) {
    each(view.getUint32(next, true), view.getFloat64(next + 4, true))
  }
}

/** Each record of the step at `at`: its lane, rows and offset, and where its batch lies in the chunk. */
export const recordsAt = (
  { view }: Chunk,
  at: number,
  step: StepView,
  each: (lane: number, rows: number, offset: number, from: number, to: number) => void,
): void => {
  const first = at + STEP_BYTES + step.inputs * INPUT_BYTES
  let body = at + padded(first - at + step.records * RECORD_BYTES)
  for (let i = 0, next = first; i < step.records; i++, next += RECORD_BYTES) {
    const length = view.getUint32(next + 8, true)
    each(
      view.getUint32(next, true),
      view.getUint32(next + 4, true),
      view.getFloat64(next + 12, true),
      body,
      body + length,
    )
    body += padded(length)
  }
}
