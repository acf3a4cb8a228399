import type { Batch, Buffers } from '../../graph/batch.ts'
import { ByteMap } from '../../graph/byte-map.ts'
import { snake } from '../../graph/schema.ts'
import { batchOf } from '../arrow.ts'
import type { Rows } from '../arrow.ts'
import { Arena } from '../memory.ts'
import { clickhouseType } from './table.ts'

/** A batch of `stored(schema)` as one block; it lies in `memory`, if that is enough. */
const nativeOf = ({ columns, rows }: Batch, memory: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
  const most = columns.reduce((sum, one) => sum + bytesMax(one, rows), 20)
  const block = new Block(memory.length < most ? new Uint8Array(most) : memory)
  block.varint(columns.length)
  block.varint(rows)
  for (const buffers of columns) {
    block.text(snake(buffers.column.name))
    block.text(clickhouseType(buffers.column))
    write(block, buffers, rows)
  }
  return block.bytes.subarray(0, block.at)
}

const NONE = new Uint8Array(0)
/** More than this is not held for the next block, bytes. */
const HELD_MAX = 48 << 20

/**
 * Makes rows into blocks of ClickHouse's Native format, in memory that is used again. A column is in a block
 * as it is in the server's memory, so that nothing is parsed or converted there.
 *
 * @see https://clickhouse.com/docs/interfaces/formats/Native
 */
export class NativeBlocks {
  readonly #arena = new Arena()
  #spare: ArrayBuffer | undefined

  /** The block is the caller's, until it is done. */
  encode(rows: Rows): Uint8Array<ArrayBuffer> {
    const memory = this.#spare === undefined ? NONE : new Uint8Array(this.#spare)
    this.#spare = undefined
    try {
      return nativeOf(batchOf(rows, this.#arena), memory)
    } finally {
      this.#arena.reset()
    }
  }

  /** Nobody reads the block any more. */
  done({ buffer }: Uint8Array<ArrayBuffer>): void {
    const { byteLength } = buffer
    if (byteLength <= HELD_MAX && byteLength > (this.#spare?.byteLength ?? 0)) this.#spare = buffer
  }
}

/** Bytes of a number of seven bits a byte, below 2^32. */
const VARINT_MAX = 5
const WIDTHS: Readonly<Record<string, number>> = { float: 8, count: 8, micros: 8, int: 4, choice: 1 }

/** More than a column can take: its name and type, what stands before its rows, and its rows. */
const bytesMax = ({ column, values, floats }: Buffers, rows: number): number => {
  const head = 3 * (snake(column.name).length + clickhouseType(column).length) + 64
  const missing = column.nullable ? rows : 0
  // Each row may have a name of its own, which then stands in the dictionary.
  if (column.kind === 'name') return head + values.length + (VARINT_MAX + 4) * (rows + 1)
  if (column.kind === 'text') return head + missing + values.length + VARINT_MAX * (rows + 1)
  if (column.kind === 'floats') return head + 8 * (rows + floats.length)
  return head + missing + (WIDTHS[column.kind] ?? 1) * rows
}

/** A block on its way. */
class Block {
  readonly bytes: Uint8Array<ArrayBuffer>
  at = 0
  readonly #view: DataView

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset)
  }

  varint(value: number): void {
    let rest = value
    for (; rest > 127; rest >>>= 7) this.bytes[this.at++] = rest | 128
    this.bytes[this.at++] = rest
  }

  text(text: string): void {
    this.run(encoder.encode(text))
  }

  /** Bytes with their length before them. */
  run(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.put(bytes)
  }

  put(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at)
    this.at += bytes.length
  }

  zeros(length: number): void {
    this.bytes.fill(0, this.at, this.at + length)
    this.at += length
  }

  uint64(value: number): void {
    this.#view.setUint32(this.at, value, true)
    this.#view.setUint32(this.at + 4, Math.floor(value / 2 ** 32), true)
    this.at += 8
  }

  #number(at: number, value: number, width: number): void {
    if (width === 2) this.#view.setUint16(at, value, true)
    else this.#view.setUint32(at, value, true)
  }

  /** `rows` numbers of `width` bytes. */
  numbers(values: Uint32Array, rows: number, width: number): void {
    const { bytes, at } = this
    if (width === 1) for (let row = 0; row < rows; row++) bytes[at + row] = values[row]!
    else for (let row = 0; row < rows; row++) this.#number(at + width * row, values[row]!, width)
    this.at += width * rows
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const write = (to: Block, buffers: Buffers, rows: number): void => {
  const { column, values } = buffers
  if (column.kind === 'name') return writeNames(to, buffers, rows)
  if (column.nullable) writeMissing(to, buffers, rows)
  if (column.kind === 'floats') return writeLists(to, buffers, rows)
  if (column.kind === 'text') return writeTexts(to, buffers, rows)
  if (column.kind === 'flag') for (let row = 0; row < rows; row++) to.bytes[to.at++] = bitAt(values, row)
  else to.put(values.subarray(0, WIDTHS[column.kind]! * rows))
}

const bitAt = (bits: Uint8Array, row: number): number => (bits[row >> 3]! >> (row & 7)) & 1

/** A byte a row: 1 where there is no value. */
const writeMissing = (to: Block, { missing, present }: Buffers, rows: number): void => {
  if (missing === 0) to.zeros(rows)
  else for (let row = 0; row < rows; row++) to.bytes[to.at++] = 1 - bitAt(present, row)
}

const writeTexts = (to: Block, { offsets, values }: Buffers, rows: number): void => {
  const { bytes } = to
  let { at } = to
  for (let row = 0, from = offsets[0] ?? 0; row < rows; row++) {
    const end = offsets[row + 1]!
    let length = end - from
    for (; length > 127; length >>>= 7) bytes[at++] = length | 128
    bytes[at++] = length
    while (from < end) bytes[at++] = values[from++]!
  }
  to.at = at
}

/** Where each row's list ends, then the values of all of them. */
const writeLists = (to: Block, { offsets, floats }: Buffers, rows: number): void => {
  for (let row = 1; row <= rows; row++) to.uint64(offsets[row]!)
  to.put(new Uint8Array(floats.buffer, floats.byteOffset, 8 * (offsets[rows] ?? 0)))
}

/** Of the column's encoding as such. */
const DICTIONARY_VERSION = 1
/** The keys come with the block, and are all that it has. */
const OWN_KEYS = 0x600

/** A dictionary of the values that there are, and which of them each row has. */
const writeNames = (to: Block, buffers: Buffers, rows: number): void => {
  const { keys, indexes } = dictionaryOf(buffers, rows)
  const exponent = keys.length <= 2 ** 8 ? 0 : keys.length <= 2 ** 16 ? 1 : 2
  to.uint64(DICTIONARY_VERSION)
  to.uint64(OWN_KEYS | exponent)
  to.uint64(keys.length)
  for (const key of keys) to.run(key)
  to.uint64(rows)
  if (indexes === undefined) to.zeros(rows)
  else to.numbers(indexes, rows, 2 ** exponent)
}

interface Dictionary {
  /** In the order in which they first come. In a column of optional names the first stands for NULL. */
  readonly keys: readonly Uint8Array[]
  /** None: all rows have the first. */
  readonly indexes: Uint32Array | undefined
}

const dictionaryOf = ({ column, missing, present, offsets, values }: Buffers, rows: number): Dictionary => {
  const one = offsets[1] ?? 0
  if (!column.nullable && isRepeated(offsets, values, rows, one))
    return { keys: [values.subarray(0, one)], indexes: undefined }
  const keys: Uint8Array[] = column.nullable ? [NONE] : []
  const indexes = new Uint32Array(rows)
  const known = new ByteMap<number>()
  // A name is mostly that of the row before.
  let [from, length, index] = [0, -1, 0]
  for (let row = 0; row < rows; row++) {
    if (missing > 0 && bitAt(present, row) === 0) continue
    const begin = offsets[row]!
    const size = offsets[row + 1]! - begin
    if (size !== length || !alike(values, from, begin, size)) {
      length = size
      index = known.get(values, begin, begin + size) ?? keys.length
      if (index === keys.length) {
        const key = values.subarray(begin, begin + size)
        keys.push(key)
        known.set(decoder.decode(key), index)
      }
    }
    from = begin
    indexes[row] = index
  }
  return { keys, indexes }
}

/** Every row has the same: each is as long, and the bytes are those of the first again and again. */
const isRepeated = (offsets: Int32Array, values: Uint8Array, rows: number, length: number): boolean => {
  for (let row = 1; row <= rows; row++) if (offsets[row] !== length * row) return false
  const total = length * rows
  // Four rows are a whole number of words: these are compared byte by byte, the others with them.
  const head = Math.min(4 * length, total)
  if (!alike(values, 0, length, head - length)) return false
  if (head === total) return true
  if (values.byteOffset % 4 !== 0) return alike(values, 0, head, total - head)
  const words = new Int32Array(values.buffer, values.byteOffset, total >> 2)
  for (let word = length; word < words.length; word++) if (words[word] !== words[word - length]) return false
  return alike(values, total - head - (total & 3), total - (total & 3), total & 3)
}

const alike = (bytes: Uint8Array, one: number, other: number, length: number): boolean => {
  for (let i = 0; i < length; i++) if (bytes[one + i] !== bytes[other + i]) return false
  return true
}
