import type { Bytes } from './bytes.ts'

/**
 * One value many times, in the hybrid of runs and packed bits that Parquet has its levels and its places in
 * a dictionary in.
 *
 * @see https://github.com/apache/parquet-format/blob/master/Encodings.md#RLE
 */
const putRun = (out: Bytes, value: number, width: number, count: number): void => {
  out.varint(2 * count)
  for (let bits = 0; bits < width; bits += 8) out.put((value >>> bits) & 0xff)
}

/** The head of packed values, which come in groups of eight; the bytes that they will take. */
const putPackedHead = (out: Bytes, width: number, count: number): number => {
  const groups = (count + 7) >> 3
  out.varint(2 * groups + 1)
  out.room(groups * width + 8)
  return groups * width
}

/** What a data page has before its values: levels, with their size before them. */
const sized = (out: Bytes, put: () => void): void => {
  const at = out.used
  out.int32(0)
  put()
  out.view.setInt32(at, out.used - at - 4, true)
}

/** Whether each row has a value: `present` is Arrow's bitmap, from bit `from`. */
export const putPresence = (
  out: Bytes,
  present: Uint8Array,
  from: number,
  rows: number,
  missing: number,
): void =>
  sized(out, () => {
    if (missing === 0 || missing === rows) putRun(out, missing === 0 ? 1 : 0, 1, rows)
    else {
      const size = putPackedHead(out, 1, rows)
      out.used += copyBits(present, from, rows, out.bytes, out.used, size)
    }
  })

/** Bits to another place, the rest of `size` bytes zero. */
export const copyBits = (
  bits: Uint8Array,
  from: number,
  count: number,
  to: Uint8Array,
  at: number,
  size: number,
): number => {
  const shift = from & 7
  const begin = from >> 3
  const used = (count + 7) >> 3
  for (let i = 0; i < used; i++) {
    const low = bits[begin + i]! >> shift
    to[at + i] = shift === 0 ? low : low | ((bits[begin + i + 1] ?? 0) << (8 - shift))
  }
  if ((count & 7) !== 0) to[at + used - 1]! &= (1 << (count & 7)) - 1
  to.fill(0, at + used, at + size)
  return size
}

/**
 * The levels of lists: where each begins, and which of them are empty. `offsets` says where the lists of rows
 * `from` to `to` begin. Returns how many levels there are: one a value, and one an empty list.
 */
export const putListLevels = (out: Bytes, offsets: Int32Array, from: number, to: number): number => {
  let empty = 0
  for (let row = from; row < to; row++) if (offsets[row] === offsets[row + 1]) empty++
  const count = offsets[to]! - offsets[from]! + empty
  sized(out, () => {
    const size = putPackedHead(out, 1, count)
    out.bytes.fill(0xff, out.used, out.used + size)
    let at = 0
    for (let row = from; row < to; row++) {
      out.bytes[out.used + (at >> 3)]! &= ~(1 << (at & 7))
      at += Math.max(1, offsets[row + 1]! - offsets[row]!)
    }
    out.used += size
  })
  sized(out, () => {
    if (empty === 0 || empty === to - from) return putRun(out, empty === 0 ? 1 : 0, 1, count)
    const size = putPackedHead(out, 1, count)
    out.bytes.fill(0xff, out.used, out.used + size)
    let at = 0
    for (let row = from; row < to; row++) {
      const length = offsets[row + 1]! - offsets[row]!
      if (length === 0) out.bytes[out.used + (at >> 3)]! &= ~(1 << (at & 7))
      at += Math.max(1, length)
    }
    out.used += size
  })
  return count
}

/** The bits of a place in a dictionary of `size`: whole bytes if it takes many: zstd sees repetition. */
const widthOf = (size: number): number =>
  size <= 2 ? 1 : size <= 4 ? 2 : size <= 16 ? 4 : size <= 256 ? 8 : 16

/** Places in a dictionary of `size`: their width, then runs where there are few, else packed. */
export const putPlaces = (
  out: Bytes,
  places: Uint16Array,
  first: number,
  count: number,
  size: number,
): void => {
  const width = widthOf(size)
  out.put(width)
  if (count === 0) return
  const most = size === 1 ? 1 : width > 8 ? 0 : (count * width) >> 6
  if (size === 1) putRun(out, 0, width, count)
  else if (runsOf(places, first, count, most) <= most) putRuns(out, places, first, count, width)
  else putPacked(out, places, first, count, width)
}

/** How many runs of equal places there are; more than `most` if there are more. */
const runsOf = (places: Uint16Array, first: number, count: number, most: number): number => {
  let runs = 1
  for (let i = first + 1; i < first + count && runs <= most; i++) if (places[i] !== places[i - 1]) runs++
  return runs
}

const putRuns = (out: Bytes, places: Uint16Array, first: number, count: number, width: number): void => {
  const end = first + count
  for (let from = first; from < end;) {
    let to = from + 1
    while (to < end && places[to] === places[from]) to++
    putRun(out, places[from]!, width, to - from)
    from = to
  }
}

const putPacked = (out: Bytes, places: Uint16Array, first: number, count: number, width: number): void => {
  const size = putPackedHead(out, width, count)
  const { bytes, used } = out
  bytes.fill(0, used + size - width, used + size)
  if (width === 16) {
    bytes.set(new Uint8Array(places.buffer, places.byteOffset + 2 * first, 2 * count), used)
  } else if (width === 8) {
    for (let i = 0; i < count; i++) bytes[used + i] = places[first + i]!
  } else {
    const each = 8 / width
    for (let i = 0, at = used; i < count; i += each) {
      let byte = 0
      const most = Math.min(each, count - i)
      for (let j = 0; j < most; j++) byte |= places[first + i + j]! << (j * width)
      bytes[at++] = byte
    }
  }
  out.used += size
}
