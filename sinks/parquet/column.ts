import type { Buffers } from '../../graph/batch.ts'
import { boundsOfDoubles, boundsOfEntries, boundsOfInts, boundsOfWholes, joinedBounds } from './bounds.ts'
import type { Bounds } from './bounds.ts'
import { putDeltas32, putDeltas64 } from './delta.ts'
import { denseBits, denseCodes, denseHalves, denseInts, denseTexts, rowsOf } from './dense.ts'
import type { Rows, Scratch } from './dense.ts'
import { entriesMax } from './dictionary.ts'
import { copyBits, putPlaces } from './levels.ts'
import {
  bare,
  DELTA_BINARY_PACKED,
  DELTA_BYTE_ARRAY,
  pagesOf,
  PLAIN,
  RLE_DICTIONARY,
  spansOf,
} from './page.ts'
import type { Chunk, Span } from './page.ts'
import { boundsOfTexts, putTexts } from './text.ts'
import type { Texts } from './text.ts'

/**
 * The rows `from` to `to` of a column as a dictionary, where that pays, and pages. They stand in
 * `scratch.out` until the next chunk is made.
 */
export const chunkOf = (buffers: Buffers, from: number, to: number, scratch: Scratch): Chunk => {
  scratch.out.used = 0
  const rows = rowsOf(buffers, from, to, scratch)
  const spans = spansOf(buffers, rows)
  switch (buffers.column.kind) {
    case 'flag':
      return flags(buffers, rows, spans, scratch)
    case 'choice':
      return choices(buffers, rows, spans, scratch)
    case 'name':
      return names(buffers, rows, spans, scratch)
    case 'text': {
      const texts = denseTexts(buffers, rows, scratch)
      return bare(buffers, spans, scratch, ({ first, count }) => {
        const bounds = scratch.prefixes.put(scratch.out, texts, first, count)
        return { encoding: DELTA_BYTE_ARRAY, bounds }
      })
    }
    case 'float':
      return doubles(
        buffers,
        denseHalves(buffers.values, rows, 0, rows.count, scratch),
        rows.count,
        spans,
        scratch,
      )
    case 'floats': {
      const { floats, offsets } = buffers
      const count = offsets[to]! - offsets[from]!
      const at = floats.byteOffset + 8 * offsets[from]!
      return doubles(buffers, new Int32Array(floats.buffer, at, 2 * count), count, spans, scratch)
    }
    case 'count':
    case 'micros':
      return wholes(buffers, rows, spans, scratch)
    case 'int':
      return ints(buffers, rows, spans, scratch)
  }
}

const flags = (buffers: Buffers, rows: Rows, spans: readonly Span[], scratch: Scratch): Chunk => {
  const { out } = scratch
  const bits = denseBits(buffers.values, rows)
  return bare(buffers, spans, scratch, ({ first, count }) => {
    const size = (count + 7) >> 3
    out.room(size)
    out.used += copyBits(bits, first, count, out.bytes, out.used, size)
    let on = 0
    for (let i = first; i < first + count; i++) on += (bits[i >> 3]! >> (i & 7)) & 1
    const bounds = count === 0 ? undefined : { low: on === count ? 1 : 0, high: on === 0 ? 0 : 1 }
    return { encoding: PLAIN, bounds }
  })
}

const encoder = new TextEncoder()

/** The values of a choice are its dictionary, whether they occur or not. */
const choices = (buffers: Buffers, rows: Rows, spans: readonly Span[], scratch: Scratch): Chunk => {
  const { out } = scratch
  const codes = denseCodes(buffers.values, rows, scratch)
  const each = buffers.column.values.map((value) => encoder.encode(value))
  const bytes = new Uint8Array(each.reduce((sum, one) => sum + one.length, 0))
  const begins = new Int32Array(each.length)
  const ends = new Int32Array(each.length)
  each.forEach((one, i) => {
    begins[i] = i === 0 ? 0 : ends[i - 1]!
    ends[i] = begins[i]! + one.length
    bytes.set(one, begins[i])
  })
  const entries = { bytes, begins, ends }
  putTexts(out, entries, 0, each.length)
  const dictionary = { begin: 0, end: out.used, entries: each.length }
  const pages = pagesOf(buffers, spans, scratch, ({ first, count }) => {
    putPlaces(out, codes, first, count, each.length)
    return {
      encoding: RLE_DICTIONARY,
      bounds: boundsOfEntries(entries, namedBy(codes, first, count, each.length, 0), each.length),
    }
  })
  return { dictionary, pages, bounds: joinedBounds(pages) }
}

const names = (buffers: Buffers, rows: Rows, spans: readonly Span[], scratch: Scratch): Chunk => {
  const { out, names: found } = scratch
  const texts = denseTexts(buffers, rows, scratch)
  const places = scratch.places(rows.count)
  const placed = found.place(texts, rows.count, places)
  const kept = pays(found.size, placed) ? placed : 0
  const { begins, ends, size } = found
  const entries: Texts = { bytes: texts.bytes, begins, ends }
  const dictionary = dictionaryOf(spans, kept, scratch, size, () => putTexts(out, entries, 0, size))
  const pages = pagesOf(buffers, spans, scratch, ({ first, count }) => {
    if (dictionary === undefined || first + count > kept) {
      putTexts(out, texts, first, count)
      return { encoding: PLAIN, bounds: boundsOfTexts(texts, first, count) }
    }
    putPlaces(out, places, first, count, size)
    const named = namedBy(places, first, count, size, kept)
    return { encoding: RLE_DICTIONARY, bounds: boundsOfEntries(entries, named, size) }
  })
  return { dictionary, pages, bounds: joinedBounds(pages) }
}

/** A dictionary pays where it is small for the values that it has. */
const pays = (entries: number, values: number): boolean => entries > 0 && entries <= entriesMax(values)

/** Which entries of a dictionary a page names: 1 where it does. Undefined: all, as it is the only page. */
const namedBy = (
  places: Uint16Array,
  first: number,
  count: number,
  entries: number,
  kept: number,
): Uint8Array | undefined => {
  if (count === kept) return undefined
  const named = new Uint8Array(entries)
  for (let i = first; i < first + count; i++) named[places[i]!] = 1
  return named
}

/** Its page, if there is a data page whose values are all in it. */
const dictionaryOf = (
  spans: readonly Span[],
  kept: number,
  { out }: Scratch,
  entries: number,
  put: () => void,
): Chunk['dictionary'] => {
  const first = spans[0]
  if (kept === 0 || first === undefined || first.count > kept) return undefined
  put()
  return { begin: 0, end: out.used, entries }
}

const bytesOf = (of: Int32Array | Float64Array): Uint8Array =>
  new Uint8Array(of.buffer, of.byteOffset, of.byteLength)

/**
 * Lists have bounds by chunk alone: a reader leaves out row groups by them, and no page by what a list
 * holds.
 */
const doubles = (
  buffers: Buffers,
  halves: Int32Array,
  total: number,
  spans: readonly Span[],
  scratch: Scratch,
): Chunk => {
  const { out, doubles: found } = scratch
  const values = new Float64Array(halves.buffer, halves.byteOffset, total)
  const places = scratch.places(total)
  const placed = found.place(halves, total, places)
  const kept = pays(found.size, placed) ? placed : 0
  const { size } = found
  const entries = new Float64Array(found.bits.buffer, 0, size)
  const list = buffers.column.kind === 'floats'
  const dictionary = dictionaryOf(spans, kept, scratch, size, () => out.set(bytesOf(entries)))
  const pages = pagesOf(buffers, spans, scratch, ({ first, count }) => {
    if (dictionary === undefined || first + count > kept) {
      out.set(bytesOf(values.subarray(first, first + count)))
      return { encoding: PLAIN, bounds: list ? undefined : boundsOfDoubles(values, first, count) }
    }
    putPlaces(out, places, first, count, size)
    if (list) return { encoding: RLE_DICTIONARY, bounds: undefined }
    const bounds = boundsOfDoubles(entries, 0, size, namedBy(places, first, count, size, kept))
    return { encoding: RLE_DICTIONARY, bounds }
  })
  if (!list) return { dictionary, pages, bounds: joinedBounds(pages) }
  const bounds = kept === total ? boundsOfDoubles(entries, 0, size) : boundsOfDoubles(values, 0, total)
  return { dictionary, pages, bounds }
}

/** Differences, unless they are so wide that zstd finds more in the values themselves. */
const wholes = (buffers: Buffers, rows: Rows, spans: readonly Span[], scratch: Scratch): Chunk => {
  const { out } = scratch
  return bare(buffers, spans, scratch, ({ first, count }) => {
    const halves = denseHalves(buffers.values, rows, first, count, scratch)
    const begin = out.used
    const order = putDeltas64(out, halves, count)
    const bounds = boundsOfWholes(halves, count, order === 'ascending')
    if (order !== 'wide') return { encoding: DELTA_BINARY_PACKED, bounds }
    out.used = begin
    out.set(bytesOf(halves))
    return { encoding: PLAIN, bounds }
  })
}

/** Places in a dictionary where few values come again and again, else differences. */
const ints = (buffers: Buffers, rows: Rows, spans: readonly Span[], scratch: Scratch): Chunk => {
  const { out } = scratch
  const values = denseInts(buffers.values, rows, scratch)
  const all = boundsOfInts(values, 0, rows.count)
  const boundsOf = ({ first, count }: Span): Bounds | undefined =>
    count === rows.count ? all : boundsOfInts(values, first, count)
  const places = scratch.places(rows.count)
  const entries = all === undefined ? [] : fewInts(values, places, Number(all.low), Number(all.high))
  if (entries.length === 0)
    return bare(buffers, spans, scratch, (span) => {
      putDeltas32(out, values, span.first, span.count)
      return { encoding: DELTA_BINARY_PACKED, bounds: boundsOf(span) }
    })
  const dictionary = dictionaryOf(spans, rows.count, scratch, entries.length, () => {
    for (const entry of entries) out.int32(entry)
  })
  const pages = pagesOf(buffers, spans, scratch, (span) => {
    putPlaces(out, places, span.first, span.count, entries.length)
    return { encoding: RLE_DICTIONARY, bounds: boundsOf(span) }
  })
  return { dictionary, pages, bounds: joinedBounds(pages) }
}

/**
 * A dictionary of integers has places of a byte, and each of its values comes so often, or differences are
 * smaller.
 */
const INTS_MAX = 256
const INT_TIMES = 16
/** How far they may lie apart to be looked up. */
const INT_RANGE = 1 << 16

/**
 * The different integers in the order in which they come, and the place of each; none where they are many.
 */
const fewInts = (values: Int32Array, places: Uint16Array, low: number, high: number): readonly number[] => {
  const count = values.length
  if (low === high) {
    places.fill(0, 0, count)
    return [low]
  }
  if (high - low >= INT_RANGE) return []
  const entries: number[] = []
  const known = new Uint16Array(high - low + 1)
  const most = Math.min(INTS_MAX, count / INT_TIMES)
  for (let i = 0; i < count; i++) {
    const value = values[i]!
    let place = known[value - low]!
    if (place === 0) {
      if (entries.length >= most) return []
      entries.push(value)
      place = known[value - low] = entries.length
    }
    places[i] = place - 1
  }
  return entries
}
