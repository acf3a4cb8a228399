import { snake } from '../../graph/schema.ts'
import type { Column } from '../../graph/schema.ts'
import { boundBytes, compareBounds } from './bounds.ts'
import type { Bounds } from './bounds.ts'
import { Bytes } from './bytes.ts'
import { elementsOf, storedAs } from './layout.ts'
import { PLAIN, RLE, RLE_DICTIONARY } from './page.ts'
import type { Chunk } from './page.ts'
import { Compact } from './thrift.ts'

/** Where a page of a chunk went. */
interface Placed {
  readonly offset: number
  readonly size: number
}

/** A column chunk that was written. Sizes and offsets are those in the file. */
export interface ChunkAt {
  readonly column: Column
  readonly chunk: Chunk
  readonly codec: number
  readonly uncompressed: number
  readonly compressed: number
  readonly dictionary: Placed | undefined
  readonly pages: readonly Placed[]
}

export interface GroupAt {
  readonly rows: number
  readonly chunks: readonly ChunkAt[]
}

export interface FileAt {
  readonly columns: readonly Column[]
  readonly rows: number
  readonly groups: readonly GroupAt[]
  readonly texts: Readonly<Record<string, string>>
  readonly createdBy: string
  /** Columns by which all rows are in ascending order. */
  readonly sorted: readonly number[]
}

/** Everything that is written here is small, and copied when it is whole. */
const out = new Bytes()

const whole = (fill: (to: Compact) => void): Uint8Array => {
  out.used = 0
  const to = new Compact(out)
  to.whole(() => fill(to))
  return out.copy()
}

/** The head of a page: of the dictionary if it has no levels. */
export const pageHead = (
  uncompressed: number,
  compressed: number,
  of: { readonly entries: number } | { readonly levels: number; readonly encoding: number },
): Uint8Array =>
  whole((head) => {
    head.int32(1, 'entries' in of ? 2 : 0)
    head.int32(2, uncompressed)
    head.int32(3, compressed)
    if ('entries' in of) {
      head.struct(7, () => {
        head.int32(1, of.entries)
        head.int32(2, PLAIN)
      })
      return
    }
    head.struct(5, () => {
      head.int32(1, of.levels)
      head.int32(2, of.encoding)
      head.int32(3, RLE)
      head.int32(4, RLE)
    })
  })

/** Bounds by page, by which a reader leaves out pages; undefined where a page's are not known. */
export const columnIndex = ({ chunk, column }: ChunkAt): Uint8Array | undefined => {
  const { pages } = chunk
  const { width } = storedAs(column)
  const bare = pages.map(({ levels, missing }) => levels === missing)
  if (pages.some(({ bounds }, i) => bounds === undefined && !bare[i])) return undefined
  const of = (side: 'low' | 'high'): readonly Uint8Array[] =>
    pages.map(({ bounds }) => (bounds === undefined ? new Uint8Array(0) : boundBytes(bounds[side], width)))
  return whole((index) => {
    index.flags(1, bare)
    index.binaries(2, of('low'))
    index.binaries(3, of('high'))
    index.int32(4, orderOf(pages.flatMap(({ bounds }) => bounds ?? [])))
    index.int64s(
      5,
      pages.map(({ missing }) => missing),
    )
  })
}

/** 1: no page begins or ends below the one before it; 2: none above; 0: neither. */
const orderOf = (pages: readonly Bounds[]): number => {
  const pairs = pages.slice(1).map((page, i) => [pages[i]!, page] as const)
  const all = (right: (sign: number) => boolean): boolean =>
    pairs.every(([a, b]) => right(compareBounds(a.low, b.low)) && right(compareBounds(a.high, b.high)))
  return all((sign) => sign <= 0) ? 1 : all((sign) => sign >= 0) ? 2 : 0
}

/** Where the pages of a chunk are, and which row each begins with. */
export const offsetIndex = ({ chunk, pages }: ChunkAt): Uint8Array =>
  whole((index) =>
    index.structs(1, pages.length, (at) => {
      index.int64(1, pages[at]!.offset)
      index.int32(2, pages[at]!.size)
      index.int64(3, chunk.pages[at]!.row)
    }),
  )

/** What was written where, by chunk, in the order of the file. */
export interface Indexes {
  readonly columns: readonly (Placed | undefined)[]
  readonly offsets: readonly Placed[]
}

/**
 * The footer of a file.
 *
 * @see https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
 */
export const footer = (file: FileAt, indexes: Indexes): Uint8Array =>
  whole((meta) => {
    const elements = file.columns.flatMap(elementsOf)
    meta.int32(1, 2)
    meta.structs(2, 1 + elements.length, (at) => {
      if (at > 0) return elements[at - 1]!(meta)
      meta.text(4, 'schema')
      meta.int32(5, file.columns.length)
    })
    meta.int64(3, file.rows)
    let chunks = 0
    meta.structs(4, file.groups.length, (at) => {
      putGroup(meta, file, at, indexes, chunks)
      chunks += file.columns.length
    })
    const texts = Object.entries(file.texts)
    meta.structs(5, texts.length, (at) => {
      meta.text(1, texts[at]![0])
      meta.text(2, texts[at]![1])
    })
    meta.text(6, file.createdBy)
    meta.structs(7, file.columns.length, () => meta.struct(1, () => {}))
  })

const putGroup = (meta: Compact, file: FileAt, at: number, indexes: Indexes, before: number): void => {
  const { rows, chunks } = file.groups[at]!
  meta.structs(1, chunks.length, (i) => {
    const one = chunks[i]!
    meta.int64(2, 0)
    meta.struct(3, () => putChunk(meta, one))
    const offsets = indexes.offsets[before + i]!
    meta.int64(4, offsets.offset)
    meta.int32(5, offsets.size)
    const columns = indexes.columns[before + i]
    if (columns === undefined) return
    meta.int64(6, columns.offset)
    meta.int32(7, columns.size)
  })
  const sum = (of: (one: ChunkAt) => number): number => chunks.reduce((total, one) => total + of(one), 0)
  meta.int64(
    2,
    sum((one) => one.uncompressed),
  )
  meta.int64(3, rows)
  if (file.sorted.length > 0)
    meta.structs(4, file.sorted.length, (i) => {
      meta.int32(1, file.sorted[i]!)
      meta.flag(2, false)
      meta.flag(3, false)
    })
  const first = chunks[0]
  if (first !== undefined) meta.int64(5, (first.dictionary ?? first.pages[0]!).offset)
  meta.int64(
    6,
    sum((one) => one.compressed),
  )
  meta.int16(7, at)
}

const putChunk = (meta: Compact, one: ChunkAt): void => {
  const { column, chunk, codec, dictionary, pages } = one
  const { bounds } = chunk
  const { type, width, list } = storedAs(column)
  const used = [...new Set(chunk.pages.map(({ encoding }) => encoding))]
  const levels = list || column.nullable || used.includes(RLE_DICTIONARY) ? [RLE] : []
  const encodings = [...new Set([...(dictionary === undefined ? [] : [PLAIN]), ...levels, ...used])]
  meta.int32(1, type)
  meta.int32s(2, encodings)
  meta.texts(3, list ? [snake(column.name), 'list', 'item'] : [snake(column.name)])
  meta.int32(4, codec)
  meta.int64(
    5,
    chunk.pages.reduce((sum, page) => sum + page.levels, 0),
  )
  meta.int64(6, one.uncompressed)
  meta.int64(7, one.compressed)
  meta.int64(9, pages[0]!.offset)
  if (dictionary !== undefined) meta.int64(11, dictionary.offset)
  meta.struct(12, () => {
    meta.int64(
      3,
      chunk.pages.reduce((sum, page) => sum + page.missing, 0),
    )
    if (bounds === undefined) return
    meta.bytes(5, boundBytes(bounds.high, width))
    meta.bytes(6, boundBytes(bounds.low, width))
    meta.flag(7, true)
    meta.flag(8, true)
  })
  const stats = used.map((encoding) => ({
    kind: 0,
    encoding,
    count: chunk.pages.filter((page) => page.encoding === encoding).length,
  }))
  const all = dictionary === undefined ? stats : [{ kind: 2, encoding: PLAIN, count: 1 }, ...stats]
  meta.structs(13, all.length, (i) => {
    meta.int32(1, all[i]!.kind)
    meta.int32(2, all[i]!.encoding)
    meta.int32(3, all[i]!.count)
  })
}
