import type { Bounds } from './bounds.ts'
import type { Bytes } from './bytes.ts'
import { putDeltas32 } from './delta.ts'

/** Texts that lie one behind the other: where each begins and ends. */
export interface Texts {
  readonly bytes: Uint8Array
  readonly begins: Int32Array
  readonly ends: Int32Array
}

/** A longer text has no bounds: a reader that looks for it opens the page. */
const BOUND_MAX = 64
/** So many texts are parted in a call: what is called often is compiled sooner than one long loop. */
const BLOCK = 512

/** PLAIN: each text behind its length. */
export const putTexts = (out: Bytes, { bytes, begins, ends }: Texts, first: number, count: number): void => {
  for (let i = first; i < first + count; i++) {
    out.int32(ends[i]! - begins[i]!)
    out.set(bytes.subarray(begins[i]!, ends[i]))
  }
}

/**
 * Writes DELTA_BYTE_ARRAY: how much of the text before each shares, and what follows.
 *
 * @see https://github.com/apache/parquet-format/blob/master/Encodings.md#DELTASTRING
 */
export class Prefixes {
  #prefixes = new Int32Array(0)
  #suffixes = new Int32Array(0)
  #rests = new Uint8Array(0)

  /** The texts `first` on; returns their bounds, which come with it. */
  put(out: Bytes, texts: Texts, first: number, count: number): Bounds | undefined {
    if (count === 0) {
      putDeltas32(out, this.#prefixes, 0, 0)
      putDeltas32(out, this.#suffixes, 0, 0)
      return undefined
    }
    this.#room(count, texts.ends[first + count - 1]! - texts.begins[first]!)
    const range = { low: first, high: first }
    let rest = 0
    for (let from = 0; from < count; from += BLOCK)
      rest = this.#split(texts, first, from, Math.min(count, from + BLOCK), rest, range)
    putDeltas32(out, this.#prefixes, 0, count)
    putDeltas32(out, this.#suffixes, 0, count)
    out.set(this.#rests.subarray(0, rest))
    return boundsAt(texts, range.low, range.high)
  }

  #room(count: number, bytes: number): void {
    if (this.#prefixes.length < count) {
      this.#prefixes = new Int32Array(count)
      this.#suffixes = new Int32Array(count)
    }
    if (this.#rests.length < bytes) this.#rests = new Uint8Array(bytes)
  }

  /**
   * Part each text `from` to `to` of a page from what it shares with the one before it. Which of these two is
   * greater shows whether it can be the greatest or the least so far. Takes and returns how many bytes are
   * left of all.
   */
  #split(
    texts: Texts,
    first: number,
    from: number,
    to: number,
    rest: number,
    range: { low: number; high: number },
  ): number {
    const { bytes, begins, ends } = texts
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const prefixes = this.#prefixes
    const suffixes = this.#suffixes
    const rests = this.#rests
    let { low, high } = range
    let used = rest
    for (let i = from; i < to; i++) {
      const at = first + i
      const begin = begins[at]!
      const end = ends[at]!
      const before = i === 0 ? begin : begins[at - 1]!
      const most = i === 0 ? 0 : Math.min(end - begin, ends[at - 1]! - before)
      const same = sharedBytes(view, begin, before, most)
      prefixes[i] = same
      suffixes[i] = end - begin - same
      for (let next = begin + same; next < end; next++) rests[used++] = bytes[next]!
      if (same === most ? end - begin > most : bytes[begin + same]! > bytes[before + same]!) {
        if (high === at - 1 || compareAt(texts, at, high) > 0) high = at
      } else if (low === at - 1 || compareAt(texts, at, low) < 0) low = at
    }
    range.low = low
    range.high = high
    return used
  }
}

/** How many of the first bytes of two texts are the same, of `most`. */
const sharedBytes = (view: DataView, a: number, b: number, most: number): number => {
  let same = 0
  for (; same + 4 <= most; same += 4) {
    const differ = view.getInt32(a + same) ^ view.getInt32(b + same)
    if (differ !== 0) return same + (Math.clz32(differ) >> 3)
  }
  while (same < most && view.getUint8(a + same) === view.getUint8(b + same)) same++
  return same
}

const compareAt = ({ bytes, begins, ends }: Texts, a: number, b: number): number =>
  compareTexts(bytes, begins[a]!, ends[a]!, bytes, begins[b]!, ends[b]!)

/** Order of texts: that of their bytes, unsigned. Below zero: the first comes first. */
export const compareTexts = (
  bytes: Uint8Array,
  begin: number,
  end: number,
  other: Uint8Array,
  otherBegin: number,
  otherEnd: number,
): number => {
  const most = Math.min(end - begin, otherEnd - otherBegin)
  for (let i = 0; i < most; i++) {
    const differ = bytes[begin + i]! - other[otherBegin + i]!
    if (differ !== 0) return differ
  }
  return end - begin - (otherEnd - otherBegin)
}

/** The least and the greatest of texts. */
export const boundsOfTexts = (texts: Texts, first: number, count: number): Bounds | undefined => {
  if (count === 0) return undefined
  let [low, high] = [first, first]
  for (let i = first + 1; i < first + count; i++) {
    if (compareAt(texts, i, high) > 0) high = i
    else if (compareAt(texts, i, low) < 0) low = i
  }
  return boundsAt(texts, low, high)
}

const boundsAt = ({ bytes, begins, ends }: Texts, low: number, high: number): Bounds | undefined => {
  if (ends[low]! - begins[low]! > BOUND_MAX || ends[high]! - begins[high]! > BOUND_MAX) return undefined
  return { low: bytes.slice(begins[low], ends[low]), high: bytes.slice(begins[high], ends[high]) }
}
