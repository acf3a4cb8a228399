import type { Batch, Buffers } from '../../graph/batch.ts'
import { chunkOf } from './column.ts'
import { int32s, Scratch } from './dense.ts'
import { columnIndex, footer, offsetIndex, pageHead } from './footer.ts'
import type { ChunkAt, GroupAt } from './footer.ts'
import { RLE_DICTIONARY } from './page.ts'
import type { Chunk } from './page.ts'

/** What DuckDB reads at a time: a thread takes a row group. */
const GROUP_ROWS = 122_880
/** Fewer rows where lists are long: no column of a row group has more values than this. */
const GROUP_VALUES = 1 << 19
const UNCOMPRESSED = 0
const MAGIC = Uint8Array.of(0x50, 0x41, 0x52, 0x31)

/** What a driver does in native code. */
export interface Native {
  /** Parquet's number of the codec: 6 is zstd. */
  readonly codec: number
  /**
   * Equal bytes must give equal bytes. `places`: they are places in a dictionary, two bytes each, where
   * repeated strings are short and rare.
   */
  readonly compress: (bytes: Uint8Array, places: boolean) => Uint8Array
  /** Are the bytes equal. */
  readonly same: (a: Uint8Array, b: Uint8Array) => boolean
}

/**
 * Writes batches as Parquet files, straight from their columns. Equal batches and texts give equal bytes.
 * `texts` become the file's key-value metadata.
 */
export const parquetWriter = (
  native: Native,
  createdBy: string,
): ((batch: Batch, texts: Readonly<Record<string, string>>) => Uint8Array) => {
  const scratch = new Scratch(native.same)
  return (batch, texts) => {
    const file = new Parts()
    file.add(MAGIC)
    const groups: GroupAt[] = []
    for (let from = 0; from < batch.rows;) {
      const to = groupEnd(batch, from)
      const chunks: ChunkAt[] = []
      let packed: Packed | undefined
      batch.columns.forEach((buffers, i) => {
        const before = batch.columns[i - 1]
        if (packed === undefined || before === undefined || !alike(before, buffers, native.same))
          packed = packedOf(chunkOf(buffers, from, to, scratch), native, scratch)
        chunks.push({ column: buffers.column, ...putChunk(file, packed) })
      })
      groups.push({ rows: to - from, chunks })
      from = to
    }
    const columns = batch.columns.map((buffers) => buffers.column)
    const chunks = groups.flatMap((group) => group.chunks)
    const indexes = {
      columns: chunks.map((chunk) => {
        const index = columnIndex(chunk)
        return index === undefined ? undefined : { offset: file.add(index), size: index.length }
      }),
      offsets: chunks.map((chunk) => {
        const index = offsetIndex(chunk)
        return { offset: file.add(index), size: index.length }
      }),
    }
    const sorted = sortedBy(batch)
    const end = footer({ columns, rows: batch.rows, groups, texts, createdBy, sorted }, indexes)
    file.add(end)
    file.add(new Uint8Array(Uint32Array.of(end.length).buffer))
    file.add(MAGIC)
    return file.whole()
  }
}

const groupEnd = (batch: Batch, from: number): number => {
  let to = Math.min(batch.rows, from + GROUP_ROWS)
  for (const { column, offsets } of batch.columns) {
    if (column.kind !== 'floats') continue
    while (to > from + 1 && offsets[to]! - offsets[from]! > GROUP_VALUES) to = from + ((to - from) >> 1)
  }
  return to
}

/** The parts of a file, joined once. */
class Parts {
  size = 0
  readonly #parts: Uint8Array[] = []

  /** Returns where it begins. */
  add(part: Uint8Array): number {
    const at = this.size
    this.#parts.push(part)
    this.size += part.length
    return at
  }

  whole(): Uint8Array {
    const whole = new Uint8Array(this.size)
    let at = 0
    for (const part of this.#parts) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }
}

/**
 * Columns of one kind with the same values, as the first and last id of a trade are: one is packed for
 * both.
 */
const alike = (a: Buffers, b: Buffers, same: Native['same']): boolean =>
  a.column.kind === b.column.kind &&
  (a.column.kind === 'count' || a.column.kind === 'micros') &&
  a.column.nullable === b.column.nullable &&
  a.missing === b.missing &&
  same(a.values, b.values) &&
  same(a.present, b.present)

/** Fewer bytes than this in a chunk are not worth a call of the compressor. */
const COMPRESS_MIN = 192

/** The pages of a chunk as they will stand in the file. */
interface Packed {
  readonly chunk: Chunk
  readonly codec: number
  readonly uncompressed: number
  /** Head and body of each, that of the dictionary first. */
  readonly parts: readonly (readonly [head: Uint8Array, body: Uint8Array])[]
}

/** The pages of a chunk, compressed, unless that makes the chunk no smaller. */
const packedOf = (chunk: Chunk, { codec, compress }: Native, { out }: Scratch): Packed => {
  const { dictionary, pages } = chunk
  const plain = [...(dictionary === undefined ? [] : [dictionary]), ...pages]
  const raw = plain.map(({ begin, end }) => out.bytes.subarray(begin, end))
  const size = sizeOf(raw)
  const wide = dictionary !== undefined && dictionary.entries > 256
  const small =
    size < COMPRESS_MIN
      ? raw
      : raw.map((page, i) => compress(page, wide && i > 0 && pages[i - 1]!.encoding === RLE_DICTIONARY))
  const kept = sizeOf(small) < size
  const parts = plain.map((page, i) => {
    const body = kept ? small[i]! : raw[i]!.slice()
    return [pageHead(raw[i]!.length, body.length, page), body] as const
  })
  const uncompressed = size + sizeOf(parts.map(([head]) => head))
  return { chunk, codec: kept ? codec : UNCOMPRESSED, uncompressed, parts }
}

const putChunk = (file: Parts, { chunk, codec, uncompressed, parts }: Packed): Omit<ChunkAt, 'column'> => {
  const begin = file.size
  const placed = parts.map(([head, body]) => {
    const offset = file.add(head)
    file.add(body)
    return { offset, size: head.length + body.length }
  })
  const compressed = file.size - begin
  const [dictionary, pages] =
    chunk.dictionary === undefined ? [undefined, placed] : [placed[0], placed.slice(1)]
  return { chunk, codec, uncompressed, compressed, dictionary, pages }
}

const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0)

/** Rows as the log has them are in the order of their places in it. */
const sortedBy = (batch: Batch): readonly number[] => {
  const [off, row] = ['_off', '_row'].map((name) =>
    batch.columns.findIndex(({ column }) => column.name === name),
  ) as [number, number]
  if (off < 0 || row < 0) return []
  const offs = int32s(batch.columns[off]!.values)
  const rows = int32s(batch.columns[row]!.values)
  for (let from = 1; from < batch.rows; from += ORDER_ROWS) {
    if (!ascends(offs, rows, from, Math.min(batch.rows, from + ORDER_ROWS))) return []
  }
  return [off, row]
}

const ORDER_ROWS = 512

/** Is none of the rows `from` to `to` below the one before it. */
const ascends = (offs: Int32Array, rows: Int32Array, from: number, to: number): boolean => {
  for (let at = from; at < to; at++) {
    const high = offs[2 * at + 1]! - offs[2 * at - 1]!
    const low = (offs[2 * at]! >>> 0) - (offs[2 * at - 2]! >>> 0)
    const up = high !== 0 ? high : low !== 0 ? low : rows[at]! - rows[at - 1]!
    if (up < 0) return false
  }
  return true
}
