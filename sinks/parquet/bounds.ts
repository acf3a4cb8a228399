import { boundsOfTexts, compareTexts } from './text.ts'
import type { Texts } from './text.ts'

/** The least or greatest value of a page: whole numbers that no double holds are bigints, texts are bytes. */
export type Bound = number | bigint | Uint8Array

export interface Bounds {
  readonly low: Bound
  readonly high: Bound
}

/**
 * So many values are looked at in a call: V8 compiles what is called often sooner than one long loop, whose
 * code it leaves again at its end.
 */
const BLOCK = 256

/** Of 32-bit integers. */
export const boundsOfInts = (values: Int32Array, first: number, count: number): Bounds | undefined => {
  if (count === 0) return undefined
  const range = Int32Array.of(values[first]!, values[first]!)
  for (let from = first; from < first + count; from += BLOCK)
    widenByInts(range, values, from, Math.min(first + count, from + BLOCK))
  return { low: range[0]!, high: range[1]! }
}

const widenByInts = (range: Int32Array, values: Int32Array, from: number, to: number): void => {
  let low = range[0]!
  let high = range[1]!
  for (let i = from; i < to; i++) {
    const value = values[i]!
    if (value < low) low = value
    if (value > high) high = value
  }
  range[0] = low
  range[1] = high
}

/** Of 64-bit integers, given as pairs of halves. `ascending` ones have them at their ends. */
export const boundsOfWholes = (halves: Int32Array, count: number, ascending: boolean): Bounds | undefined => {
  if (count === 0) return undefined
  let low = 0
  let high = ascending ? count - 1 : 0
  for (let i = 1; i < count && !ascending; i++) {
    if (below(halves, i, low)) low = i
    else if (below(halves, high, i)) high = i
  }
  return { low: wholeAt(halves, low), high: wholeAt(halves, high) }
}

const below = (halves: Int32Array, a: number, b: number): boolean => {
  const above = halves[2 * a + 1]!
  const other = halves[2 * b + 1]!
  return above === other ? halves[2 * a]! >>> 0 < halves[2 * b]! >>> 0 : above < other
}

const wholeAt = (halves: Int32Array, at: number): Bound => {
  const high = halves[2 * at + 1]!
  const low = halves[2 * at]! >>> 0
  const whole = high * 2 ** 32 + low
  return Number.isSafeInteger(whole) ? whole : (BigInt(high) << 32n) | BigInt(low)
}

/**
 * Of doubles, none where one is not a number: readers order NaN differently, and would leave out what they
 * look for. Of the two zeros the lower bound is the negative one, as a reader may tell them apart. `named`
 * picks some.
 *
 * @see https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (ColumnOrder)
 */
export const boundsOfDoubles = (
  values: Float64Array,
  first: number,
  count: number,
  named?: Uint8Array,
): Bounds | undefined => {
  let low = Infinity
  let high = -Infinity
  for (let i = first; i < first + count; i++) {
    if (named !== undefined && named[i] === 0) continue
    const value = values[i]!
    if (value >= low && value <= high) continue
    if (Number.isNaN(value)) return undefined
    if (value < low) low = value
    if (value > high) high = value
  }
  if (low > high) return undefined
  return { low: low === 0 ? -0 : low, high: high === 0 ? 0 : high }
}

/** Of the entries of a dictionary that a page names: all if that is not said. */
export const boundsOfEntries = (
  entries: Texts,
  named: Uint8Array | undefined,
  count: number,
): Bounds | undefined => {
  if (named === undefined) return boundsOfTexts(entries, 0, count)
  const { bytes, begins, ends } = entries
  const each = [...named.keys()].filter((entry) => named[entry] === 1)
  const some = {
    bytes,
    begins: Int32Array.from(each, (entry) => begins[entry]!),
    ends: Int32Array.from(each, (entry) => ends[entry]!),
  }
  return boundsOfTexts(some, 0, each.length)
}

/** Below zero: the first is less. */
export const compareBounds = (a: Bound, b: Bound): number => {
  if (a instanceof Uint8Array) {
    const other = b as Uint8Array
    return compareTexts(a, 0, a.length, other, 0, other.length)
  }
  const other = b as number | bigint
  return a < other ? -1 : a > other ? 1 : 0
}

/** The bounds of pages together; undefined where one that has values lacks them. */
export const joinedBounds = (
  pages: readonly {
    readonly levels: number
    readonly missing: number
    readonly bounds: Bounds | undefined
  }[],
): Bounds | undefined => {
  const filled = pages.filter(({ levels, missing }) => levels > missing)
  let joined = filled[0]?.bounds
  for (const { bounds } of filled) {
    if (joined === undefined || bounds === undefined) return undefined
    joined = {
      low: compareBounds(joined.low, bounds.low) <= 0 ? joined.low : bounds.low,
      high: compareBounds(joined.high, bounds.high) >= 0 ? joined.high : bounds.high,
    }
  }
  return joined
}

/** How a bound is written: PLAIN, without a length. */
export type Width = 'flag' | 'int32' | 'int64' | 'double' | 'bytes'

export const boundBytes = (bound: Bound, width: Width): Uint8Array => {
  if (bound instanceof Uint8Array) return bound
  if (width === 'flag') return Uint8Array.of(Number(bound))
  const bytes = new Uint8Array(width === 'int32' ? 4 : 8)
  const view = new DataView(bytes.buffer)
  if (width === 'int32') view.setInt32(0, Number(bound), true)
  else if (width === 'double') view.setFloat64(0, Number(bound), true)
  else view.setBigInt64(0, BigInt(bound), true)
  return bytes
}
