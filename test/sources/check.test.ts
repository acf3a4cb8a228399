import { describe, expect, test } from 'vitest'
import { GraphError } from '../../graph/error.ts'
import { bookDelta, mark, trade } from '../../market/event.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { parseMapping } from '../../sources/driver/jsonata.ts'
import { Mappings } from '../../sources/mappings.ts'
import { partSchemas } from '../../sources/reader.ts'

const fields = {
  symbol: 's', time: 'T * 1000', id: '$string(t)', side: 'm = true ? "sell" : m = false ? "buy"', price: '$number(p)', size: '$number(q)',
}
const row = (changes: Readonly<Record<string, string | undefined>> = {}): string =>
  `{ ${Object.entries({ ...fields, ...changes }).filter(([, value]) => value !== undefined).map(([name, value]) => `"${name}": ${value}`).join(', ')} }`

const load = (part: string, schemas: readonly AnySchema[] = [trade]): unknown =>
  new Mappings([parseMapping('test.jsonata', `{ "x": ${part} }`)]).part('x', partSchemas(schemas), { long: 0 })

const problem = (part: string, schemas?: readonly AnySchema[]): unknown => {
  try {
    load(part, schemas)
  } catch (error) {
    if (!(error instanceof GraphError)) throw error
    return [error.code, error.message, error.fix, error.where]
  }
  return 'none'
}

describe('a mapping that does not fit its schema is refused when it is loaded', () => {
  test('and one that fits is taken, with or without what may be missing', () => {
    expect(problem(`{ "trade": ${row()} }`)).toBe('none')
    expect(problem(`{ "trade": ${row({ first: 't', last: 't' })} }`)).toBe('none')
    expect(problem(`{ "trade": data.${row()} }`)).toBe('none')
    expect(problem(`{ "trade": [${row()}, ${row()}], "skip": X ? { "symbol": s, "first": t, "last": t } }`)).toBe('none')
    expect(problem(`{ "trade": $map(data, function($x) { ${row()} }) }`)).toBe('none')
  })

  const cases: readonly (readonly [string, string, readonly AnySchema[], RegExp, RegExp])[] = [
    ['a field is missing', `{ "trade": ${row({ price: undefined })} }`, [trade], /does not make "trade.price"/, /Add "price"/],
    ['the symbol is missing', `{ "trade": ${row({ symbol: undefined })} }`, [trade], /does not make "trade.symbol"/, /Add "symbol"/],
    ['a field is too many', `{ "trade": ${row({ prize: 'p' })} }`, [trade], /makes the field "prize", which "trade" does not have/, /"symbol", "time", .*"price"/],
    ['the reader fills a field', `{ "trade": ${row({ venue: '"x"' })} }`, [trade], /makes the field "venue"/, /Use "symbol"/],
    ['a number is a text', `{ "trade": ${row({ price: '$string(p)' })} }`, [trade], /makes a text of "trade.price", which is a number/, /\$number/],
    ['a text is a number', `{ "trade": ${row({ id: 't + 1' })} }`, [trade], /makes a number of "trade.id", which is a text/, /\$string/],
    ['a number is a comparison', `{ "trade": ${row({ size: 'q > 1' })} }`, [trade], /makes a flag of "trade.size"/, /\$number/],
    ['a choice does not exist', `{ "trade": ${row({ side: 'm ? "Sell" : "buy"' })} }`, [trade], /makes "Sell" of "trade.side"/, /"buy", "sell"/],
    ['another schema', `{ "quote": ${row()} }`, [trade], /makes rows of "quote", which this channel does not carry/, /"trade"/],
    ['a schema is left out', `{ "trade": ${row()} }`, [trade, mark], /makes no rows of "mark"/, /Add "mark"/],
    ['the row cannot be seen', '{ "trade": data }', [trade], /hides the fields of its "trade" rows/, /in braces/],
    ['there is no object', 'data', [trade], /is not an object of rows by schema/, /\{ "trade"/],
    ['a list is an object', '{ "bookDelta": { "symbol": s, "time": 1, "snapshot": true, "origin": "stream", "horizon": 0, "bidPrices": {} } }', [bookDelta], /makes an object of "bookDelta.bidPrices", which is a list/, /list/],
  ]
  for (const [name, part, schemas, message, fix] of cases) {
    test(`because ${name}`, () => {
      expect(problem(part, schemas)).toEqual(['KT2004', expect.stringMatching(message), expect.stringMatching(fix), 'test.jsonata'])
    })
  }

  test('because its language is not JSONata, or not one object', () => {
    expect(() => parseMapping('test.jsonata', '{ "x": { }')).toThrow(/mapping "test.jsonata" is not JSONata/)
    expect(() => parseMapping('test.jsonata', '[1]')).toThrow(/is not one object of channels/)
    expect(() => parseMapping('test.jsonata', '{ "x": 1, "x": 2 }')).toThrow(/computed, or used twice/)
  })

  test('and finds its parts whatever stands in them', async () => {
    const mapping = parseMapping('test.jsonata', '{ /* { "no": */ "a,b": [1, {"x": "}"}], "c": `q:,`.r & ":", \'d\': (1; 2) }')
    expect(await Promise.all(['a,b', 'c', 'd'].map((part) => mapping.evaluate(part, { 'q:,': { r: 'R' } }, {})))).toEqual([[1, { x: '}' }], 'R:', 2])
  })
})
