import type { Buffers } from '../../graph/batch.ts'
import { joinedBounds } from './bounds.ts'
import type { Bounds } from './bounds.ts'
import type { Rows, Scratch } from './dense.ts'
import { putListLevels, putPresence } from './levels.ts'

/** The encodings of Parquet that are used here, by their number. */
export const PLAIN = 0
export const RLE = 3
export const DELTA_BINARY_PACKED = 5
export const DELTA_BYTE_ARRAY = 7
export const RLE_DICTIONARY = 8

const PAGE_ROWS = 61_440
const PAGE_BYTES = 1 << 20

/** A page in the scratch memory, not compressed. */
export interface Page {
  readonly begin: number
  readonly end: number
  readonly encoding: number
  /** Its first row, counted from the row group's. */
  readonly row: number
  readonly rows: number
  /** How many levels it has: values, missing ones and empty lists. */
  readonly levels: number
  readonly missing: number
  readonly bounds: Bounds | undefined
}

export interface Chunk {
  readonly dictionary: { readonly begin: number; readonly end: number; readonly entries: number } | undefined
  readonly pages: readonly Page[]
  readonly bounds: Bounds | undefined
}

/** The rows of a page, and where its values are among those of the chunk. */
export interface Span {
  readonly from: number
  readonly to: number
  readonly first: number
  readonly count: number
}

type Put = (span: Span) => { readonly encoding: number; readonly bounds: Bounds | undefined }

/** Pages of so many rows, and fewer where texts or lists are long. */
export const spansOf = ({ column, offsets }: Buffers, rows: Rows): readonly Span[] => {
  const spans: Span[] = []
  const { present } = rows
  const lists = column.kind === 'floats'
  const most = lists ? PAGE_BYTES / 8 : PAGE_BYTES
  const long = lists || column.kind === 'text' || column.kind === 'name'
  let first = 0
  for (let from = rows.from; from < rows.to;) {
    let to = Math.min(rows.to, from + PAGE_ROWS)
    while (long && to > from + 1 && offsets[to]! - offsets[from]! > most) to = from + ((to - from) >> 1)
    const last = lists
      ? offsets[to]! - offsets[rows.from]!
      : present === undefined
        ? to - rows.from
        : rankOf(present, rows.count, to)
    spans.push({ from, to, first, count: last - first })
    first = last
    from = to
  }
  return spans
}

/** How many of the ascending `present` are below `row`. */
const rankOf = (present: Int32Array, count: number, row: number): number => {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >> 1
    if (present[middle]! < row) low = middle + 1
    else high = middle
  }
  return low
}

export const bare = (buffers: Buffers, spans: readonly Span[], scratch: Scratch, put: Put): Chunk => {
  const pages = pagesOf(buffers, spans, scratch, put)
  return { dictionary: undefined, pages, bounds: joinedBounds(pages) }
}

export const pagesOf = (
  buffers: Buffers,
  spans: readonly Span[],
  scratch: Scratch,
  put: Put,
): readonly Page[] => {
  const { out } = scratch
  const { column, offsets, present, missing } = buffers
  return spans.map((span) => {
    const begin = out.used
    const { from, to, count } = span
    let levels = to - from
    if (column.kind === 'floats') levels = putListLevels(out, offsets, from, to)
    else if (column.nullable) {
      const bits = missing === 0 ? new Uint8Array(0) : present
      putPresence(out, bits, from, levels, levels - count)
    }
    const { encoding, bounds } = put(span)
    const row = from - spans[0]!.from
    return { begin, end: out.used, encoding, row, rows: to - from, levels, missing: levels - count, bounds }
  })
}
