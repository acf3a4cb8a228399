import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Budget } from '../../sources/budget.ts'
import { ByteMap } from '../../graph/byte-map.ts'
import { KeyFinder } from '../../sources/scan.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const found = (text: string, key = 'topic'): string | undefined => {
  const finder = new KeyFinder(key)
  const message = bytes(text)
  return finder.find(message) ? new TextDecoder().decode(message.subarray(finder.from, finder.to)) : undefined
}

describe('the topic of a message', () => {
  test('is found wherever its key stands, and only at the top', () => {
    expect(found('{"topic":"a.b"}')).toBe('a.b')
    expect(found(' {\n "x" : [1, {"topic":"no"}, "]"], "s":"}\\"{", "n":-1.5e3,"t":true , "topic" : "a" }')).toBe('a')
    expect(found('{"data":{"topic":"no"}}')).toBeUndefined()
    expect(found('{"x":"topic","topic":"这是测试币456"}')).toBe('这是测试币456')
  })

  test('is not found in what is no message of a topic', () => {
    for (const text of ['', '{', '[]', '{"topic"', '{"topic":', '{"topic":"', '{"topic":"a', '{"topic":1}', '{"topic":null}', '{"x":', '{"x":"\\', '{"a":1 "topic":"x"}', '"topic"']) {
      expect(found(text), text).toBeUndefined()
    }
  })

  test('is what JSON.parse says of any object with short keys', () => {
    const key = fc.constantFrom('topic', 'a', 'topi', 'topics', 'b"')
    const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom('x.y', 'orderbook.200.BTCUSDT'))
    fc.assert(fc.property(fc.dictionary(key, value), fc.constantFrom(0, 1), (object, indent) => {
      const topic = object['topic']
      const plain = typeof topic === 'string' && JSON.stringify(topic) === `"${topic}"`
      expect(found(JSON.stringify(object, null, indent))).toBe(plain ? topic : undefined)
    }), { numRuns: 500 })
  })

  test('leads to its place in a map that grows', () => {
    const map = new ByteMap<number>()
    const names = Array.from({ length: 1_000 }, (_, i) => `s${i * 7919}@trade`)
    names.forEach((name, i) => map.set(name, i))
    names.forEach((name, i) => map.set(name, i + 1))
    expect(names.every((name, i) => map.get(bytes(name)) === i + 1)).toBe(true)
    expect(map.get(bytes('s1@trade'))).toBeUndefined()
  })
})

describe('a weight budget', () => {
  test('never gives more than its weight within a window of the clock', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 30_000_000 })), { maxLength: 60 }), (asks) => {
      const budget = new Budget(100, 60_000)
      const used = new Map<number, number>()
      let now = 0
      for (const [weight, wait] of asks) {
        now += wait
        const left = budget.take(weight, now)
        if (left > 0) {
          expect(left).toBeLessThanOrEqual(60_000)
          continue
        }
        const window = Math.floor(now / 60e6)
        used.set(window, (used.get(window) ?? 0) + weight)
        expect(used.get(window)).toBeLessThanOrEqual(100)
      }
    }))
  })

  test('gives at the end of the window what it refused, and nothing while it is closed', () => {
    const budget = new Budget(100, 60_000)
    expect([budget.take(100, 59e6), budget.take(1, 59e6), budget.take(1, 60e6)]).toEqual([0, 1_000, 0])
    budget.close(5_000, 61e6)
    expect([budget.take(1, 61e6), budget.take(1, 66e6)]).toEqual([5_000, 0])
    budget.said(100)
    expect(budget.take(1, 67e6)).toBe(53_000)
  })
})
