import type { Batch } from '../graph/batch.ts'
import { assert } from '../graph/error.ts'
import { padded } from '../graph/layout.ts'

/**
 * The message of an Arrow IPC stream that announces a record batch, with its numbers left open: how long it
 * is, and for each column how many values it has and where its buffers lie. It differs from batch to batch of
 * a schema in nothing else, so it is made once and filled in.
 *
 * @see https://arrow.apache.org/docs/format/Columnar.html#recordbatch-message
 */
export interface BatchMessage {
  readonly bytes: Uint8Array
  readonly rows: number
  readonly bodyLength: number
  /** Pairs of 64-bit numbers: values and missing values, of each column and each list's inside. */
  readonly nodes: number
  /** Pairs of 64-bit numbers: where a buffer begins, and its length. */
  readonly buffers: number
  readonly nodeCount: number
  readonly bufferCount: number
}

/** Messages of a stream begin with this, then their length. */
const CONTINUES = 0xffffffff
const HEADER_TYPE = 1
const HEADER = 2
const BODY_LENGTH = 3
const RECORD_BATCH = 3

/**
 * Split a stream of one record batch, whose rows and bytes are not zero, into what stands before the batch
 * (the schema and its dictionaries) and the message of the batch.
 */
export const splitStream = (
  stream: Uint8Array,
): { readonly head: Uint8Array; readonly message: BatchMessage } => {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength)
  for (let at = 0; view.getUint32(at, true) === CONTINUES;) {
    const length = view.getInt32(at + 4, true)
    const table = tableAt(view, at + 8)
    if (view.getUint8(fieldOf(view, table, HEADER_TYPE)) === RECORD_BATCH) {
      const bytes = stream.slice(at + 8, at + 8 + length)
      return { head: stream.slice(0, at), message: openMessage(bytes) }
    }
    const body = slotOf(view, table, BODY_LENGTH)
    at += 8 + length + (body === 0 ? 0 : view.getUint32(table + body, true))
  }
  throw new Error('a stream without a record batch')
}

const openMessage = (bytes: Uint8Array): BatchMessage => {
  const view = new DataView(bytes.buffer)
  const message = tableAt(view, 0)
  const header = fieldOf(view, message, HEADER)
  const batch = header + view.getUint32(header, true)
  const vector = (field: number): number => {
    const at = fieldOf(view, batch, field)
    return at + view.getUint32(at, true)
  }
  const [nodes, buffers] = [vector(1), vector(2)]
  return {
    bytes,
    rows: fieldOf(view, batch, 0),
    bodyLength: fieldOf(view, message, BODY_LENGTH),
    nodes: nodes + 4,
    buffers: buffers + 4,
    nodeCount: view.getUint32(nodes, true),
    bufferCount: view.getUint32(buffers, true),
  }
}

const tableAt = (view: DataView, root: number): number => root + view.getUint32(root, true)

/** Where a table has a field, from its beginning; 0 where the field is left out. */
const slotOf = (view: DataView, table: number, field: number): number => {
  const vtable = table - view.getInt32(table, true)
  const slot = 4 + 2 * field
  return slot < view.getUint16(vtable, true) ? view.getUint16(vtable + slot, true) : 0
}

const fieldOf = (view: DataView, table: number, field: number): number => {
  const slot = slotOf(view, table, field)
  assert(slot > 0, 'a field of an Arrow message is left out')
  return table + slot
}

/** Bytes that are written again and again, and a view of them. */
export class Reused {
  bytes = new Uint8Array(0)
  view = new DataView(this.bytes.buffer)

  room(length: number): void {
    if (length <= this.bytes.length) return
    this.bytes = new Uint8Array(Math.ceil(length * 1.25))
    this.view = new DataView(this.bytes.buffer)
  }
}

/**
 * Write a batch as a stream: the head, the message with its numbers, the buffers as they are, the end. The
 * bytes are those of `to`, until something else is written there.
 */
export const writeStream = (
  { head, message }: ReturnType<typeof splitStream>,
  batch: Batch,
  to: Reused,
): Uint8Array => {
  const [nodes, parts] = partsOf(batch)
  assert(nodes.length === 2 * message.nodeCount, 'an Arrow message has another number of columns')
  assert(parts.length === message.bufferCount, 'an Arrow message has another number of buffers')
  let body = 0
  for (let i = 0; i < parts.length; i++) body += padded(parts[i]!.byteLength)
  const from = head.length + 8 + message.bytes.length
  to.room(from + body + 8)
  const { bytes, view } = to
  bytes.set(head)
  view.setUint32(head.length, CONTINUES, true)
  view.setInt32(head.length + 4, message.bytes.length, true)
  const base = head.length + 8
  bytes.set(message.bytes, base)
  whole(view, base + message.rows, batch.rows)
  whole(view, base + message.bodyLength, body)
  for (let i = 0; i < nodes.length; i++) whole(view, base + message.nodes + 8 * i, nodes[i]!)
  for (let i = 0, at = 0; i < parts.length; i++) {
    const part = parts[i]!
    const { byteLength } = part
    whole(view, base + message.buffers + 16 * i, at)
    whole(view, base + message.buffers + 16 * i + 8, byteLength)
    if (byteLength > 0) bytes.set(bytesOf(part), from + at)
    const end = at + byteLength
    at += padded(byteLength)
    for (let padding = end; padding < at; padding++) bytes[from + padding] = 0
  }
  view.setUint32(from + body, CONTINUES, true)
  view.setUint32(from + body + 4, 0, true)
  return bytes.subarray(0, from + body + 8)
}

const whole = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, value, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

type Part = Uint8Array | Int32Array | Float64Array

const bytesOf = (part: Part): Uint8Array =>
  part instanceof Uint8Array ? part : new Uint8Array(part.buffer, part.byteOffset, part.byteLength)

const partsOf = ({ rows, columns }: Batch): readonly [nodes: readonly number[], parts: readonly Part[]] => {
  const nodes: number[] = []
  const parts: Part[] = []
  for (const { column, missing, present, offsets, values, floats } of columns) {
    nodes.push(rows, missing)
    parts.push(present)
    if (column.kind === 'floats') {
      nodes.push(floats.length, 0)
      parts.push(offsets, NOTHING, floats)
    } else if (column.kind === 'text' || column.kind === 'name') parts.push(offsets, values)
    else parts.push(column.kind === 'float' ? floats : values)
  }
  return [nodes, parts]
}

const NOTHING = new Uint8Array(0)
