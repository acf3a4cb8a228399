import { describe, expect, test } from 'vitest'
import { putDeltas32, putDeltas64 } from '../../sinks/parquet/delta.ts'
import { Bytes } from '../../sinks/parquet/bytes.ts'
import { putListLevels, putPlaces, putPresence } from '../../sinks/parquet/levels.ts'
import { compareTexts, Prefixes } from '../../sinks/parquet/text.ts'
import { randomOf } from '../random.ts'

/** Reads what the kernels write, slowly: one bit after another, all numbers as bigints. */
class Reader {
  at = 0
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  byte(): number {
    expect(this.at).toBeLessThan(this.bytes.length)
    return this.bytes[this.at++]!
  }

  varint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  zigzag(): bigint {
    const value = this.varint()
    return (value >> 1n) ^ -(value & 1n)
  }

  packed(width: number, count: number): bigint[] {
    const values = Array.from({ length: count }, (_, i) => {
      let value = 0n
      for (let bit = 0; bit < width; bit++) {
        const at = i * width + bit
        value |= BigInt((this.bytes[this.at + (at >> 3)]! >> (at & 7)) & 1) << BigInt(bit)
      }
      return value
    })
    this.at += (width * count) / 8
    return values
  }

  deltas(bits: 32 | 64): bigint[] {
    const block = Number(this.varint())
    const parts = Number(this.varint())
    const count = Number(this.varint())
    expect(block % 128).toBe(0)
    expect((block / parts) % 32).toBe(0)
    let value = this.zigzag()
    const values = count === 0 ? [] : [value]
    while (values.length < count) {
      const least = this.zigzag()
      const widths = Array.from({ length: parts }, () => this.byte())
      for (const width of widths) {
        if (values.length >= count) break
        expect(width).toBeLessThanOrEqual(bits)
        for (const above of this.packed(width, block / parts)) {
          if (values.length < count) values.push((value = BigInt.asIntN(bits, value + least + above)))
        }
      }
    }
    return values
  }

  hybrid(width: number, count: number): number[] {
    const values: number[] = []
    while (values.length < count) {
      const head = Number(this.varint())
      if ((head & 1) === 1) values.push(...this.packed(width, 8 * (head >> 1)).map(Number))
      else {
        expect(head).toBeGreaterThan(0)
        let value = 0
        for (let shift = 0; shift < width; shift += 8) value |= this.byte() << shift
        for (let i = 0; i < head >> 1; i++) values.push(value)
      }
    }
    return values.slice(0, count)
  }

  /** Levels with their size before them. */
  levels(count: number): number[] {
    const size = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at).getInt32(0, true)
    this.at += 4
    const end = this.at + size
    const values = this.hybrid(1, count)
    expect(this.at).toBe(end)
    return values
  }

  end(): void {
    expect(this.at).toBe(this.bytes.length)
  }
}

const COUNTS = [0, 1, 2, 3, 31, 33, 63, 64, 65, 66, 128, 129, 255, 256, 257, 258, 321, 513, 2000]

const written = (put: (out: Bytes) => unknown): Reader => {
  const out = new Bytes()
  out.put(7)
  put(out)
  return new Reader(out.copy(1))
}

describe('differences', () => {
  test('of 32-bit integers are those of the format, at every width', () => {
    for (let bits = 0; bits <= 32; bits++)
      for (const count of COUNTS) {
        const below = randomOf(100 * bits + count)
        const values = Int32Array.from({ length: count }, () =>
          bits === 0 ? -7 : below(2 ** 32) >> (32 - bits),
        )
        let order = true
        const reader = written((out) => void (order = putDeltas32(out, values, 0, count)))
        expect(reader.deltas(32)).toEqual(Array.from(values, BigInt))
        reader.end()
        expect(order).toBe(values.every((value, i) => i === 0 || value >= values[i - 1]!))
      }
  })

  test('of 64-bit integers are those of the format, at every width and far from zero', () => {
    for (let bits = 0n; bits <= 64n; bits++)
      for (const count of [0, 1, 2, 64, 65, 257, 600]) {
        const below = randomOf(Number(bits) + 1000 * count)
        const base = [0n, 1_767_311_970_000_000n, -5n, 2n ** 51n, 2n ** 53n, -(2n ** 63n), 2n ** 32n - 3n][
          below(7)
        ]!
        const any = (): bigint => ((BigInt(below(2 ** 32)) << 32n) | BigInt(below(2 ** 32))) >> (64n - bits)
        const values = BigInt64Array.from({ length: count }, () =>
          BigInt.asIntN(64, base + (bits === 0n ? 0n : any())),
        )
        const found = written((out) => putDeltas64(out, new Int32Array(values.buffer), count))
        expect(found.deltas(64)).toEqual([...values])
        found.end()
      }
  })

  test('of multiples of a thousand, and of values that fall, are those of the format', () => {
    for (const step of [
      1000n,
      -1000n,
      2n ** 31n,
      -(2n ** 31n),
      2n ** 31n - 1n,
      2n ** 32n,
      -(2n ** 32n) - 1n,
    ]) {
      const below = randomOf(9)
      const values = BigInt64Array.from(
        { length: 700 },
        (_, i) => BigInt(i) * step + 1000n * BigInt(below(3)),
      )
      const reader = written((out) => putDeltas64(out, new Int32Array(values.buffer), values.length))
      expect(reader.deltas(64)).toEqual([...values])
    }
  })

  test('are the same bytes whatever was written before', () => {
    const below = randomOf(4)
    const some = Int32Array.from({ length: 70 }, () => below(1000))
    const write = (): Uint8Array => written((out) => putDeltas32(out, some, 0, some.length)).bytes
    const first = write()
    putDeltas32(
      new Bytes(),
      Int32Array.from({ length: 3000 }, () => below(2 ** 31)),
      0,
      3000,
    )
    expect(write()).toEqual(first)
  })

  test('say that values ascend only if they do', () => {
    const order = (values: readonly bigint[]): unknown =>
      putDeltas64(new Bytes(), new Int32Array(BigInt64Array.from(values).buffer), values.length)
    expect(order(Array.from({ length: 600 }, (_, i) => BigInt(i) + 5n))).toBe('ascending')
    expect(order([1n, 0n])).toBe('mixed')
    expect(order([2n ** 40n, 5n, 6n])).not.toBe('ascending')
    expect(order(Array.from({ length: 600 }, (_, i) => (i === 300 ? 0n : 10n)))).toBe('mixed')
  })
})

describe('levels', () => {
  test('say which rows have a value, from any bit on', () => {
    for (let seed = 0; seed < 200; seed++) {
      const below = randomOf(seed)
      const from = below(20)
      const rows = 1 + below(100)
      const few = below(3)
      const on = Array.from({ length: from + rows }, () => (few === 0 ? 1 : few === 1 ? 0 : below(2)))
      const bits = new Uint8Array((on.length + 7) >> 3)
      on.forEach((one, i) => (bits[i >> 3]! |= one << (i & 7)))
      const wanted = on.slice(from)
      const missing = wanted.filter((one) => one === 0).length
      const reader = written((out) => putPresence(out, bits, from, rows, missing))
      expect(reader.levels(rows)).toEqual(wanted)
      reader.end()
    }
  })

  test('say where lists begin and which are empty', () => {
    for (let seed = 0; seed < 200; seed++) {
      const below = randomOf(seed)
      const longest = [1, 2, 30][below(3)]!
      const lengths = Array.from({ length: 1 + below(60) }, () => below(longest))
      const offsets = Int32Array.from([0, ...lengths])
      for (let i = 1; i < offsets.length; i++) offsets[i]! += offsets[i - 1]!
      const from = below(lengths.length)
      const some = lengths.slice(from)
      const wanted = some.flatMap((length) =>
        length === 0 ? [[0, 0]] : Array.from({ length }, (_, i) => [i === 0 ? 0 : 1, 1]),
      )
      let count = 0
      const reader = written((out) => (count = putListLevels(out, offsets, from, lengths.length)))
      expect(count).toBe(wanted.length)
      expect(reader.levels(count)).toEqual(wanted.map(([repeated]) => repeated))
      expect(reader.levels(count)).toEqual(wanted.map(([, defined]) => defined))
      reader.end()
    }
  })
})

test('places in a dictionary of any size are those of the format', () => {
  for (const size of [1, 2, 3, 4, 5, 16, 17, 255, 256, 257, 65_535])
    for (const count of [0, 1, 7, 8, 9, 64, 1000]) {
      for (const run of [1, 200]) {
        const below = randomOf(size + count)
        const first = below(5)
        const places = new Uint16Array(first + count)
        for (let i = 0; i < places.length; i++) places[i] = i % run === 0 ? below(size) : places[i - 1]!
        if (count > 0) places[first + count - 1] = size - 1
        const reader = written((out) => putPlaces(out, places, first, count, size))
        const width = reader.byte()
        expect(2 ** width).toBeGreaterThanOrEqual(size)
        expect(reader.hybrid(width, count)).toEqual([...places.subarray(first)])
        reader.end()
      }
    }
})

test('texts come back from what each shares with the one before it, and are bounded', () => {
  const prefixes = new Prefixes()
  for (let seed = 0; seed < 300; seed++) {
    const below = randomOf(seed)
    const count = below(seed % 20 === 0 ? 1500 : 80)
    const texts = Array.from({ length: count }, (_, i) =>
      Buffer.from(
        [String(3_735_683_000 + i), 'abcdefgh'.slice(0, below(9)), 'жуки'.slice(0, below(5)), ''][below(4)]! +
          (below(3) === 0 ? String(below(300)) : ''),
      ),
    )
    const bytes = Buffer.concat(texts)
    const ends = Int32Array.from(texts, (text) => text.length)
    for (let i = 1; i < count; i++) ends[i]! += ends[i - 1]!
    const begins = Int32Array.from(ends, (end, i) => end - texts[i]!.length)
    const first = below(Math.max(1, count))
    let bounds: unknown
    const reader = written((out) => {
      bounds = prefixes.put(out, { bytes, begins, ends }, first, Math.max(0, count - first))
    })
    const shared = reader.deltas(32).map(Number)
    const rest = reader.deltas(32).map(Number)
    let before = Buffer.alloc(0)
    const found = shared.map((length, i) => {
      const suffix = reader.bytes.subarray(reader.at, reader.at + rest[i]!)
      reader.at += rest[i]!
      before = Buffer.concat([before.subarray(0, length), suffix])
      return before
    })
    reader.end()
    const wanted = texts.slice(first)
    expect(found.map(String)).toEqual(wanted.map(String))
    const sorted = [...wanted].sort((a, b) => Buffer.compare(a, b))
    const [low, high] = [sorted[0], sorted.at(-1)]
    const known = bounds as { low: Uint8Array; high: Uint8Array } | undefined
    expect(known && [Buffer.from(known.low), Buffer.from(known.high)]).toEqual(low && [low, high])
  }
  expect(compareTexts(Uint8Array.of(0xff), 0, 1, Uint8Array.of(0x7f), 0, 1)).toBeGreaterThan(0)
})
