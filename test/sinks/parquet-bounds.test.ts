import { describe, expect, test } from 'vitest'
import { boundsOfDoubles, boundsOfInts, boundsOfWholes } from '../../sinks/parquet/bounds.ts'
import { randomOf } from '../random.ts'

describe('bounds', () => {
  test('of integers are the least and the greatest, wherever they stand', () => {
    for (let seed = 0; seed < 400; seed++) {
      const below = randomOf(seed)
      const count = below(700)
      const bits = BigInt(below(65))
      const base = [0n, 1_767_311_970_000_000n, 2n ** 31n - 9n, -(2n ** 32n), 2n ** 63n - 5n][below(5)]!
      const any = (): bigint => ((BigInt(below(2 ** 32)) << 32n) | BigInt(below(2 ** 32))) >> (64n - bits)
      const wholes = BigInt64Array.from({ length: count }, (_, i) =>
        BigInt.asIntN(64, base + BigInt(i) * BigInt(below(3) * 500) + (bits === 0n ? 0n : any())),
      )
      const halves = new Int32Array(wholes.buffer)
      const found = boundsOfWholes(halves, count, false)
      const sorted = wholes.toSorted()
      expect(found && [BigInt(found.low as bigint), BigInt(found.high as bigint)]).toEqual(
        count === 0 ? undefined : [sorted[0], sorted.at(-1)],
      )
      const first = below(2 * count + 1)
      const ints = halves.subarray(first).toSorted()
      const wanted = ints.length === 0 ? undefined : { low: ints[0], high: ints.at(-1) }
      expect(boundsOfInts(halves, first, ints.length)).toEqual(wanted)
    }
  })

  test('of doubles are the least and the greatest, none where one is not a number', () => {
    for (let seed = 0; seed < 400; seed++) {
      const below = randomOf(seed)
      const values = Float64Array.from({ length: below(40) }, () =>
        below(4) > 0 ? below(1000) - 500 : [0, -0, Infinity, -Infinity, 1e-300][below(5)]!,
      )
      if (below(4) === 0 && values.length > 0) values[below(values.length)] = NaN
      const named = Uint8Array.from(values, () => below(3) && 1)
      const some = values.filter((_, i) => named[i] === 1)
      for (const [each, found] of [
        [values, boundsOfDoubles(values, 0, values.length)],
        [some, boundsOfDoubles(values, 0, values.length, named)],
      ] as const) {
        if (each.length === 0 || each.some(Number.isNaN)) expect(found).toBeUndefined()
        else {
          const [low, high] = [Math.min(...each), Math.max(...each)]
          expect(found).toEqual({ low: low === 0 ? -0 : low, high: high === 0 ? 0 : high })
        }
      }
    }
  })
})
