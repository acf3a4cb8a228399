import type { Bytes } from './bytes.ts'

const BLOCK = 256
const PARTS = 4
const PART = BLOCK / PARTS
const HIGH = 2 ** 32
/** The head of a block at most: the least difference in ten bytes, and the widths. */
const BLOCK_HEAD = 10 + PARTS

/** The differences of one block, less the least of them, as low and high halves. */
const lows = new Int32Array(BLOCK)
const highs = new Int32Array(BLOCK)
const deltas = new Float64Array(BLOCK)

/**
 * DELTA_BINARY_PACKED of 32-bit integers: the first value, then differences in blocks of 256, each less the
 * least of its block and as narrow as the widest of 64 needs. Differences wrap, so that none is wider than
 * a value. Returns whether no value is below the one before it.
 *
 * @see https://github.com/apache/parquet-format/blob/master/Encodings.md#DELTAENC
 */
export const putDeltas32 = (out: Bytes, values: Int32Array, first: number, count: number): boolean => {
  putHead(out, count)
  out.zigzag(count === 0 ? 0 : values[first]!)
  let ascending = true
  for (let at = 1; at < count; at += BLOCK) {
    const size = Math.min(BLOCK, count - at)
    let before = values[first + at - 1]!
    let least = 0x7fffffff
    let down = 0
    for (let i = 0; i < size; i++) {
      const value = values[first + at + i]!
      const delta = (value - before) | 0
      if (value < before) down = 1
      if (delta < least) least = delta
      before = value
      lows[i] = delta
    }
    if (down === 1) ascending = false
    out.zigzag(least)
    putBlock(out, size, least, false)
  }
  return ascending
}

/** How 64-bit integers follow each other; `wide` ones were given up. */
export type Order = 'ascending' | 'mixed' | 'wide'

/**
 * The same of 64-bit integers, given as pairs of halves. Most blocks have small differences and are made of
 * integers; those that have not are made of doubles where these are exact, and of bigints where they are
 * not. Where differences take half of the bits that the values have they are `wide`: zstd finds more in the
 * values.
 */
export const putDeltas64 = (out: Bytes, halves: Int32Array, count: number): Order => {
  const begin = out.used
  putHead(out, count)
  out.zigzag64(count === 0 ? 0n : wideAt(halves, 0))
  let ascending = true
  for (let at = 1; at < count; at += BLOCK) {
    const size = Math.min(BLOCK, count - at)
    const first = halves[2 * at - 2]!
    const high = halves[2 * at - 1]!
    let before = first
    let least = 0x7fffffff
    let odd = 0
    for (let i = 0; i < size; i++) {
      const low = halves[2 * (at + i)]!
      const delta = (low - before) | 0
      // Where the upper 33 bits are the same, a difference has no more than 32 with its sign.
      odd |= ((low ^ first) >>> 31) | (halves[2 * (at + i) + 1]! ^ high)
      if (delta < least) least = delta
      before = low
      lows[i] = delta
    }
    if (odd === 0) {
      if (least < 0) ascending = false
      out.zigzag(least)
      putBlock(out, size, least, false)
    } else {
      ascending = false
      if (exact(halves, at, size)) putDoubles(out, halves, at, size)
      else putWide(out, halves, at, size)
    }
  }
  if (out.used - begin > 4 * count + 64) return 'wide'
  return ascending ? 'ascending' : 'mixed'
}

const wideAt = (halves: Int32Array, at: number): bigint =>
  (BigInt(halves[2 * at + 1]!) << 32n) | BigInt(halves[2 * at]! >>> 0)

/**
 * Are the values of a block, and the one before it, below 2^51, so that differences of differences are
 * exact.
 */
const exact = (halves: Int32Array, at: number, size: number): boolean => {
  let beyond = 0
  for (let i = at - 1; i < at + size; i++) beyond |= (halves[2 * i + 1]! + 0x80000) >>> 20
  return beyond === 0
}

const putDoubles = (out: Bytes, halves: Int32Array, at: number, size: number): void => {
  let least = Infinity
  let before = halves[2 * at - 1]! * HIGH + (halves[2 * at - 2]! >>> 0)
  for (let i = 0; i < size; i++) {
    const value = halves[2 * (at + i) + 1]! * HIGH + (halves[2 * (at + i)]! >>> 0)
    deltas[i] = value - before
    if (deltas[i]! < least) least = deltas[i]!
    before = value
  }
  for (let i = 0; i < size; i++) {
    const above = deltas[i]! - least
    const high = Math.floor(above / HIGH)
    highs[i] = high
    lows[i] = above - high * HIGH
  }
  out.zigzag(least)
  putBlock(out, size, 0, true)
}

/** Any integers: differences wrap as they do. Slow, and rare. */
const putWide = (out: Bytes, halves: Int32Array, at: number, size: number): void => {
  const found = Array.from({ length: size }, (_, i) =>
    BigInt.asIntN(64, wideAt(halves, at + i) - wideAt(halves, at + i - 1)),
  )
  const least = found.reduce((a, b) => (b < a ? b : a))
  found.forEach((delta, i) => {
    const above = BigInt.asUintN(64, delta - least)
    lows[i] = Number(above & 0xffffffffn)
    highs[i] = Number(above >> 32n)
  })
  out.zigzag64(least)
  putBlock(out, size, 0, true)
}

const putHead = (out: Bytes, count: number): void => {
  out.varint(BLOCK)
  out.varint(PARTS)
  out.varint(count)
}

/**
 * The widths of a block and its parts, those that hold nothing left out. `least` is still to be taken off.
 */
const putBlock = (out: Bytes, size: number, least: number, wide: boolean): void => {
  const end = Math.ceil(size / PART) * PART
  lows.fill(least, size, end)
  if (wide) highs.fill(0, size, end)
  out.room(BLOCK_HEAD + 8 * BLOCK)
  const widthsAt = out.used
  out.used += PARTS
  let all = 0
  for (let part = 0; part < PARTS; part++) all |= masks[part] = part * PART < size ? maskOf(part, least) : 0
  // Differences that are all divisible by eight are multiples of something (milliseconds, in a column of
  // microseconds), so few of the numbers that fit are there: in whole bytes the compressor sees which.
  const whole = (all & 7) === 0
  for (let part = 0; part < PARTS; part++) {
    const high = wide && part * PART < size ? highMaskOf(part) : 0
    const bits = high === 0 ? 32 - Math.clz32(masks[part]!) : 64 - Math.clz32(high)
    const width = whole ? (bits + 7) & ~7 : bits
    out.bytes[widthsAt + part] = width
    if (width > 32) putWidePart(out, part * PART, width)
    else if (width > 0) putPart(out, part * PART, width)
  }
}

const masks = new Int32Array(PARTS)

/** The bits that any difference of a part has, once the least is taken off. */
const maskOf = (part: number, least: number): number => {
  let mask = 0
  for (let i = part * PART; i < (part + 1) * PART; i++) mask |= lows[i]! -= least
  return mask
}

const highMaskOf = (part: number): number => {
  let mask = 0
  for (let i = part * PART; i < (part + 1) * PART; i++) mask |= highs[i]!
  return mask
}

/** 64 values of up to 32 bits; they always end with a word. */
const putPart = (out: Bytes, from: number, width: number): void => {
  const { view } = out
  let at = out.used
  let word = 0
  let bits = 0
  for (let i = from; i < from + PART; i++) {
    const value = lows[i]!
    word |= value << bits
    bits += width
    if (bits >= 32) {
      view.setInt32(at, word, true)
      at += 4
      bits -= 32
      word = bits === 0 ? 0 : value >>> (width - bits)
    }
  }
  out.used = at
}

/** 64 values of more than 32 bits: the low half of each, then what is above it. */
const putWidePart = (out: Bytes, from: number, width: number): void => {
  const { view } = out
  let at = out.used
  let word = 0
  let bits = 0
  for (let i = 2 * from; i < 2 * (from + PART); i++) {
    const upper = (i & 1) === 1
    const value = upper ? highs[i >> 1]! : lows[i >> 1]!
    const size = upper ? width - 32 : 32
    word |= value << bits
    bits += size
    if (bits >= 32) {
      view.setInt32(at, word, true)
      at += 4
      bits -= 32
      word = bits === 0 ? 0 : value >>> (size - bits)
    }
  }
  out.used = at
}
