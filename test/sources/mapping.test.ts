import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compile } from '../../sources/mapping/compile.ts'
import { partsOf } from '../../sources/mapping/tree.ts'
import { loadMapping, parseMapping } from '../../sources/driver/jsonata.ts'
import type { Mapping } from '../../graph/source.ts'
import { expressions, messages, texts } from './expressions.ts'

const bound = { symbol: 'BTCUSDT', received: 1_700_000_000_000_000, limit: 1000 }

/** What an expression comes to, or that it does not. Lists and objects are compared by their JSON. */
const outcome = async (make: () => unknown): Promise<unknown> => {
  try {
    const value = await make()
    return value === undefined ? 'nothing' : { json: JSON.stringify(value, (_, one: unknown) => (Object.is(one, -0) ? '-0' : one)) }
  } catch (error) {
    if (error instanceof TypeError || error instanceof ReferenceError || error instanceof SyntaxError) throw error
    return 'throws'
  }
}

const compiled = (mapping: Mapping, part: string): ((message: unknown) => unknown) => {
  const tree = partsOf(mapping.file, mapping.tree).get(part)
  if (tree === undefined) throw new Error(`no part ${part}`)
  const { run } = compile(mapping.file, part, tree, { long: 0 })
  return (message) => run(message, bound)
}

const known = new Map<string, readonly [Mapping, (message: unknown) => unknown]>()

const agree = async (expression: string, message: unknown): Promise<void> => {
  const parse = (): readonly [Mapping, (message: unknown) => unknown] => {
    const made = parseMapping('test', `{ "p": ${expression} }`)
    return [made, compiled(made, 'p')]
  }
  const [mapping, run] = known.get(expression) ?? parse()
  known.set(expression, [mapping, run])
  const ours = await outcome(() => run(structuredClone(message)))
  const theirs = await outcome(() => mapping.evaluate('p', structuredClone(message), bound))
  expect({ expression, message, value: ours }).toEqual({ expression, message, value: theirs })
}

describe('the compiled form of a mapping', () => {
  const all = [...messages, ...texts.map((text) => JSON.parse(text) as unknown)]
  test(`comes to what the interpreter comes to: ${expressions.length} expressions over ${all.length} messages`, async () => {
    expect(new Set(expressions).size).toBeGreaterThanOrEqual(300)
    for (const expression of expressions) for (const message of all) await agree(expression, message)
  }, 120_000)

  test('comes to what the interpreter comes to over any JSON', async () => {
    const letters = fc.constantFrom('a', 'b', 'c')
    const leaf = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constantFrom('1', 'x', '', '2.5'), fc.constant(null))
    const tree = fc.letrec((tie) => ({
      node: fc.oneof({ maxDepth: 4, withCrossShrink: true }, leaf, fc.array(tie('node'), { maxLength: 3 }), fc.dictionary(letters, tie('node'), { maxKeys: 3 })),
    })).node
    await fc.assert(fc.asyncProperty(fc.constantFrom(...expressions), tree, agree), { numRuns: 1500 })
  }, 60_000)

  test('is refused, with its reason and the way out, where the compiler does not know the language', () => {
    for (const [expression, reason] of [
      ['a^(b)', 'sorting'], ['a.*', 'wildcard'], ['a.**', 'descendant'], ['a.%.b', 'ancestor'], ['a{b: c}', 'group'], ['$now()', 'function $now'],
      ['$unknown', 'variable $unknown'], ['a ~> $sum', 'apply'], ['$match(a, /x/)', 'function $match'], ['[1..3]', 'operator ..'], ['{$string(a): 1}', 'a key that is computed'],
      ['($f := function($x) { $x }; $f(a))', 'lambda'], ['$number(a, b)', '$number with 2 arguments'], ['a#$i.b', 'index'], ['a@$x.b', 'focus'],
    ] as const) {
      const mapping = parseMapping('test', `{ "p": ${expression} }`)
      expect(() => compiled(mapping, 'p'), expression).toThrow(new RegExp(`the mapping of "p" uses .*${reason.replace(/[$.]/g, '\\$&')}`))
    }
  })

  test('never runs a text of the mapping as code', async () => {
    for (const text of ['"]; throw 1; ["', '\u2028`${1}', "'+process+'", '\\"); throw 1; ("']) {
      const literal = JSON.stringify(text)
      await agree(`{ ${literal}: ${literal}, "y": a[${literal}] }`, { a: [1] })
      await agree(`\`${text.replaceAll('`', '')}\`.b`, { a: 1, [text]: { b: 1 } })
    }
  })
})

const number = fc.oneof(fc.constantFrom('0', '1.50', '-2', '12345.67890123', 'x', '', '1e5'), fc.integer(), fc.constant(null))
const levels = fc.oneof(fc.array(fc.tuple(number, number), { maxLength: 3 }), fc.constant('x'), fc.constant(null))
const time = fc.oneof(fc.integer({ min: 0 }), fc.constantFrom('5', null))
const some = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> => fc.record(fields, { requiredKeys: [] })
const symbol = fc.constantFrom('BTCUSDT', 'ETHUSDT', null)
const binance = some({ s: symbol, t: time, T: time, E: time, U: time, u: time, pu: time, p: number, q: number, i: number, r: number, m: fc.constantFrom(true, false, 'x'), X: fc.constantFrom('MARKET', 'ADL', 1), b: levels, a: levels })
const fill = some({ s: symbol, T: time, i: fc.constantFrom('id', 1), S: fc.constantFrom('Buy', 'Sell', 'x'), p: number, v: number })
const ticker = some({ symbol, markPrice: number, indexPrice: number, fundingRate: number, nextFundingTime: number, fundingIntervalHour: number })
const cases: readonly (readonly [string, string, fc.Arbitrary<unknown>])[] = [
  ['binance/spot.jsonata', 'trade', some({ data: binance })],
  ['binance/spot.jsonata', 'book', some({ data: binance })],
  ['binance/spot.jsonata', 'book.seed', some({ lastUpdateId: time, bids: levels, asks: levels })],
  ['binance/usdm.jsonata', 'trade', some({ data: binance })],
  ['binance/usdm.jsonata', 'book', some({ data: binance })],
  ['binance/usdm.jsonata', 'mark', some({ data: binance })],
  ['binance/usdm.jsonata', 'book.seed', some({ lastUpdateId: time, T: time, bids: levels, asks: levels })],
  ['binance/usdm.jsonata', 'fundingInfo', fc.array(some({ symbol, fundingIntervalHours: number }), { maxLength: 3 })],
  ['bybit/session.jsonata', 'trade', some({ data: fc.oneof(fill, fc.array(fill, { maxLength: 3 })) })],
  ['bybit/session.jsonata', 'book', some({ topic: fc.constantFrom('orderbook.200.X', 'x'), type: fc.constantFrom('snapshot', 'delta', 1), ts: time, cts: time, data: some({ s: symbol, u: time, b: levels, a: levels }) })],
  ['bybit/linear.jsonata', 'mark', some({ ts: time, data: ticker })],
]

describe('the mappings of the markets', () => {
  for (const [file, part, arbitrary] of cases) {
    test(`${file} maps any "${part}" message as the interpreter does`, async () => {
      const mapping = loadMapping(file)
      const run = compiled(mapping, part)
      await fc.assert(fc.asyncProperty(arbitrary, async (message) => {
        const ours = await outcome(() => run(structuredClone(message)))
        expect(ours).toEqual(await outcome(() => mapping.evaluate(part, structuredClone(message), bound)))
      }), { numRuns: 300 })
    })
  }
})
