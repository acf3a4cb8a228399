import { describe, expect, test } from 'vitest'
import { sharedCells } from '../../graph/row.ts'
import { parseMapping } from '../../sources/driver/jsonata.ts'
import { Templates, tierCounts } from '../../sources/mapping/templates.ts'
import { Mappings } from '../../sources/mappings.ts'
import { randomOf } from '../random.ts'
import { anySchema, tiers } from './tiers.ts'
import type { Tiers } from './tiers.ts'

const names = new Map([
  ['X', { instrument: 'x', wanted: true }],
  ['Y', { instrument: 'y', wanted: true }],
  ['N', { instrument: 'n', wanted: false }],
  ['LONGER', { instrument: 'l', wanted: true }],
])

/** Readers of rows "any" with these expressions as columns. */
const reading = (columns: Readonly<Record<string, string>>, row: string, symbol: string | null = 'X'): Tiers =>
  tiers({
    mappings: [parseMapping('test', `{ "p": { "any": ${row} } }`)],
    part: 'p', schemas: [anySchema(columns)], symbol: symbol ?? undefined, names,
  })

const bytes = (message: string): Uint8Array => new TextEncoder().encode(message)

/** Each message twice, and all again: which were scanned at last? */
const fed = (of: Tiers, messages: readonly string[]): readonly boolean[] => {
  for (let round = 0; round < 3; round++) for (const message of messages) of.feed(bytes(message))
  return messages.map((message) => of.feed(bytes(message)))
}

describe('a scanned message comes to what a parsed one does', () => {
  const number = (expression: string, kind = '?float'): Tiers =>
    reading({ v: kind }, `{ "symbol": s, "v": ${expression} }`)
  const values = (of: readonly string[]): readonly string[] => of.map((value) => `{"s":"X","p":${value}}`)

  test('numbers in quotes: signs, zeros, points, 15 digits and more', () => {
    const plain = ['0', '-0', '0.0', '-0.0', '1', '12', '123', '1234', '12345', '123456789012345', '0.1', '0.12345678', '00.5', '007', '-1.50',
      '99999999.9999999', '0.000000000000001', '0.0000000000000000000001', '1.7976931348623157', '12345678.1234567']
    expect(fed(number('$number(p)'), values(plain.map((one) => `"${one}"`))).filter((one) => one)).toHaveLength(19)
    const odd = ['', '-', '+1', '.5', '1.', '1..2', '1e5', '1E-5', '1e', '0x1F', 'NaN', 'Infinity', ' 1', '1 ', '--1', '-.5', '1,2', '１', '1e999', '123456789012345678901234567890',
      '0.00000000000000000000001', '9999999999999999', '\\u0031', '1\\n']
    expect(fed(number('$number(p)'), values(['"1"', ...odd.map((one) => `"${one}"`)]))).toEqual([true, ...odd.map(() => false)])
  })

  test('numbers as such', () => {
    const plain = ['0', '-0', '1', '-1', '0.5', '-0.5', '123456789012345', '1.25', '10']
    expect(fed(number('p'), values(plain)).every((one) => one)).toBe(true)
    const odd = ['1e3', '1E+3', '-0e0', '1234567890123456', '9007199254740993', '0.1234567890123456789', '1e400', '01', '+1', '.5', '1.', '-', '1 ', 'null', '"1"', 'true', '[1]']
    expect(fed(number('p'), values(['1', ...odd]))).toEqual([true, ...odd.map(() => false)])
  })

  test('whole numbers to the edge of what a column holds', () => {
    for (const kind of ['count', 'int', 'micros', '?int'])
      fed(number('p', kind), values(['1', '2147483647', '2147483648', '-2147483647', '-2147483648', '-2147483649', '1.5', '-0', '999999999999999', '9007199254740991', '9007199254740992']))
    fed(number('p * 1000', 'micros'), values(['1', '9007199254740', '9007199254741', '999999999999999', '0.001', '0.0015']))
    fed(number('-p', '?float'), values(['1', '0', '-0', '0.5']))
  })

  test('an empty text that is asked for, and one that is not', () => {
    expect(fed(number('p != "" ? $number(p)'), values(['"1"', '""', '"x"']))).toEqual([true, true, false])
    expect(fed(number('p = "" ? 5 : $number(p)'), values(['"1"', '""', '"x"']))).toEqual([true, true, false])
    const both = reading({ v: '?float', f: 'flag' }, '{ "symbol": s, "v": p != "" ? $number(p), "f": $number(p) > 0 }')
    expect(fed(both, values(['"1"', '""']))).toEqual([true, false])
    const dropped = reading({ v: '?float', w: 'float' }, '{ "symbol": s, "v": p != "" ? $number(p), "w": ($number(p); 5) }')
    expect(fed(dropped, values(['"1"', '""']))).toEqual([true, false])
  })

  test('arithmetic that leads nowhere', () => {
    const pair = (...of: readonly (readonly [string, string])[]) => of.map(([p, q]) => `{"s":"X","p":${p},"q":${q}}`)
    const messages = pair(['1', '2'], ['1', '0'], ['0', '0'], ['-1', '0'], ['0', '-0'], ['999999999999999', '0.000000000000001'])
    for (const expression of ['p / q', '1 / (p / q)', '(p / q) > 0 ? 1 : 2', '(p / q + 1) > 0 ? 1 : 2', '($x := p / q; $x * 0)', '(1 / (p / q); 5)', 'p % q', '(p % q) * 2',
      '(p / q = 1) ? 1 : 2', 'p / 2', 'p / 0', '$exists(1 / (p / q)) ? 1 : 2', '-(p / q)', 'p * 1e300 * 1e300', '(p * 1e300 * 1e300) < 1 ? 1 : 2'])
      fed(number(expression), messages)
    fed(reading({ aPrices: 'floats' }, '{ "symbol": s, "aPrices": l.($number($[0]) / $number($[1])) }'),
      ['{"s":"X","l":[["1","2"],["3","4"]]}', '{"s":"X","l":[["1","0"]]}', '{"s":"X","l":[["0","0"],["1","2"]]}'])
  })

  test('a list of plain values is many, not the first', () => {
    fed(number('p.$number($[0])'), values(['["1","2"]', '["1"]', '["3","4"]']))
    fed(number('$number(p[0])'), values(['["1","2"]', '["3","4"]', '["5"]']))
    fed(number('$number(p[-1])'), values(['["1","2"]', '["3","4"]']))
    fed(number('$number(p[0.9])'), values(['["1","2"]', '["3","4"]']))
    fed(number('p.$number($)'), values(['["1","2"]', '["1"]']))
    fed(reading({ l: 'floats' }, '{ "symbol": s, "l": p.$number($[0]) }'), values(['["1","2"]', '[["1","2"]]', '["1"]']))
    fed(number('p.($number($[0.9]))'), values(['[["1","2"]]', '[["3","4"]]']))
  })

  test('the first of a list, where there is one', () => {
    const best = reading({ a: '?float', b: '?float' }, '{ "symbol": s, "a": $number(p[0][0]), "b": $number(p[0][1]) }')
    expect(fed(best, values(['[["1","2"]]', '[["3","4"]]', '[]', '[["5","6"],["7","8"]]', '[["5"]]', '[[]]']))).toEqual([true, true, true, false, true, false])
    fed(number('$exists(p[0]) ? 1 : 2'), values(['[["1","2"]]', '[]', '[["1","2"],["1","2"]]']))
    fed(number('$number(p[0].x)'), values(['[{"x":"1"}]', '[]', '[{"x":"2"}]']))
  })

  test('what exists only at times', () => {
    const both = (of: string): readonly string[] => [`{"s":"X","p":${of},"q":true}`, `{"s":"X","p":${of},"q":false}`]
    fed(number('$exists(q ? p) ? 1 : 2'), both('1'))
    fed(number('$exists(q ? p : p) ? 1 : 2'), both('1'))
    fed(number('$exists(q ? (p > 1 ? p)) ? 1 : 2'), [...both('1'), ...both('2')])
    fed(number('$exists(p.x) ? 1 : 2'), [...both('[{"x":1}]'), ...both('[]'), ...both('{"x":1}')])
    fed(number('$exists(p.$number($[0])) ? 1 : 2'), [...both('[["1"]]'), ...both('[]')])
  })

  test('variables of one side of a condition do not leak into the other', () => {
    const messages = ['true', 'false'].flatMap((q) => [`{"s":"X","p":1,"q":${q}}`, `{"s":"X","p":2,"q":${q}}`])
    fed(number('($x := p; q ? ($x := 7; $length("abc") + $x) : $x)'), messages)
    fed(number('($x := p; q ? $x : ($x := 7; $length("abc") + $x))'), messages)
    fed(number('($x := p; ($x := 9; $x); $x)'), messages)
  })

  test('rows of a list use what stands before it, not what is to come', () => {
    const rows = reading({ v: 'float', t: 'float' }, '($t := t; l.{ "symbol": s, "v": $number(p), "t": $t })', null)
    const members = '[{"s":"X","p":"1"},{"s":"Y","p":"2"},{"s":"N","p":"3"},{"s":"Z","p":"4"}]'
    expect(fed(rows, [`{"t":5,"l":${members}}`, `{"l":${members},"t":6}`])).toEqual([true, false])
    const list = reading({ l: 'floats' }, '{ "symbol": s, "l": ($k := k; l.($number($[0]) * $k)) }')
    expect(fed(list, ['{"s":"X","k":5,"l":[["1"],["2"]]}', '{"s":"X","l":[["1"],["2"]],"k":6}'])).toEqual([true, false])
  })

  test('lists: empty, one, many, with nothing in their members, and stale ones', () => {
    const book = reading({ aPrices: 'floats', aSizes: 'floats' }, '{ "symbol": s, "aPrices": l.$number($[0]), "aSizes": l.$number($[1]) }')
    const of = (...all: readonly string[]): string => `{"s":"X","l":[${all.join()}]}`
    const many = Array.from({ length: 300 }, (_, i) => `["${i}.5","${i}"]`)
    expect(fed(book, [of('["1","2"]'), of(), of('["1","2"]', '["3","4"]'), of(...many), of('["1"]'), of('["1","2","3"]'), of('["1","2"]', '["3"]')]))
      .toEqual([true, true, true, true, false, true, false])
    const odd = reading({ l: 'floats' }, '{ "symbol": s, "l": l.(1 + 1) }')
    fed(odd, [of(...Array.from({ length: 200 }, () => '{}')), of(...Array.from({ length: 200 }, () => '[]'))])
    const unlike = reading({ aPrices: 'floats', aSizes: 'floats' }, '{ "symbol": s, "aPrices": x.$number($[0]), "aSizes": l.$number($[0]) }')
    expect(fed(unlike, [of('["1"]'), of('["2"]'), of()])).toEqual([false, false, false])
    const bare = reading({ aPrices: 'floats', aSizes: 'floats' }, '{ "symbol": s }')
    expect(fed(bare, ['{"s":"X"}'])).toEqual([true])
  })

  test('choices, flags, names and texts, that may be missing', () => {
    const whole = '{"s":"X","c":"b","f":true,"t":"text","n":123,"o":{"a":null}}'
    const of = reading({ c: 'choice a b', d: '?choice a b 5', f: 'flag', g: '?flag', t: 'text', u: '?text', n: '?name' },
      '{ "symbol": s, "c": c, "d": f ? c : 5, "f": f, "g": f ? f, "t": t, "u": f ? $string(n) }')
    const messages = [whole, whole.replace('true', 'false'), whole.replace('"b"', '"a"'), whole.replace('"b"', '"c"'), whole.replace('text', ''), whole.replace('123', '0'),
      whole.replace('123', '00'), whole.replace('123', '-5'), whole.replace('123', '1.5'), whole.replace('123', '1e2'), whole.replace('123', '999999999999999'), whole.replace('123', '1234567890123456')]
    expect(fed(of, messages)[0]).toBe(true)
    const named = reading({ symbol: 'name' }, '{ "symbol": s }')
    fed(named, ['{"s":"X"}', '{"s":"X"}'])
    const optional = reading({ n: '?name', v: 'float' }, '{ "symbol": s, "n": a.b ? s, "v": v }')
    fed(optional, ['{"s":"X","v":1,"a":{"b":true}}', '{"s":"X","v":1}'])
  })

  test.each([
    '{"s":"X","unused":"abcdefghijkl","t":"mnopqrstuvwx","n":-1234567890.12,"v":"12345678.9","w":5,"f":true}',
    '{"s":"X","t":"","v":"1234567.89012345","w":1722988800123}',
    '{"s":"X","t":"abcde","v":"0.123","w":123.4567}',
    '{"s":"X","t":"a","v":"-5","w":-0.5}',
  ])('any byte at any place of any value', (text) => {
    const of = reading({ t: 'text', v: 'float', w: 'float' }, '{ "symbol": s, "t": t, "v": $number(v), "w": w }')
    const message = bytes(text)
    for (let i = 0; i < 3; i++) of.feed(message)
    for (let at = 0; at < message.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const changed = message.slice()
        changed[at] = byte
        of.feed(changed)
      }
      of.feed(message.slice(0, at))
      of.feed(new Uint8Array([...message, message[at]!]))
      expect(of.feed(message)).toBe(true)
    }
  })

  test('a number is read right whatever the one before it was', () => {
    const random = randomOf(7)
    const digits = (most: number): string => Array.from({ length: random(most + 1) }, () => random(10)).join('')
    const decimal = (): string => {
      const [whole, after] = [`${random(4) === 0 ? 0 : 1 + random(9)}${random(3) > 0 ? digits(8) : ''}`, digits(random(4) === 0 ? 14 : 8)]
      return `${random(9) === 0 ? '-' : ''}${whole}${after === '' ? '' : '.'}${after}`
    }
    const of = reading({ v: 'float', w: 'float', l: 'floats' }, '{ "symbol": s, "v": $number(v), "w": w, "l": l.$number($[0]) }')
    for (let i = 0; i < 3_000; i++) {
      const list = Array.from({ length: random(4) }, () => `["${decimal()}"]`).join()
      of.feed(bytes(`{"s":"X","v":"${decimal()}","w":${random(2) === 0 ? decimal() : 1 + random(1_000_000)},"l":[${list}]}`))
    }
    expect(of.scanning.tiers.scanned).toBeGreaterThan(1_500)
  })

  test('symbols: of another, not asked for, unknown', () => {
    const of = reading({ v: 'float' }, '{ "symbol": s, "v": v }')
    expect(fed(of, ['{"s":"X","v":1}', '{"s":"Y","v":1}', '{"s":"","v":1}', '{"s":"XX","v":1}'])).toEqual([true, false, false, false])
    const { tiers: counts } = of.scanning
    expect(counts.scanned + counts.parsed).toBe(of.parsing.tiers.parsed)
    const longer = reading({ v: 'float' }, '{ "symbol": s, "v": v }', 'LONGER')
    expect(fed(longer, ['{"s":"LONGER","v":1}', '{"s":"LONGES","v":1}', '{"s":"KONGER","v":1}', '{"s":"LONGERS","v":1}'])).toEqual([true, false, false, false])
    fed(reading({ v: 'float' }, '{ "symbol": s, "v": v }', 'N'), ['{"s":"N","v":1}'])
    fed(reading({ v: 'float' }, '{ "symbol": s, "v": v }', null), ['{"s":"X","v":1}', '{"s":"N","v":1}', '{"s":"Q","v":1}'])
  })

  test('messages that are lists themselves', () => {
    expect(fed(reading({ v: 'float' }, '{ "symbol": $[0], "v": $number($[1]) }'), ['["X","1"]', '["X","2"]'])).toEqual([true, true])
    fed(reading({ v: 'float' }, '{ "symbol": $[0], "v": 1 }'), ['["X"]', '["X"]', '["X","Y"]'])
    fed(reading({ v: 'float' }, '$.{ "symbol": s, "v": v }', null), ['[{"s":"X","v":1}]', '[{"s":"X","v":1},{"s":"Y","v":2}]', '[]'])
  })
})

describe('what learns from messages stands whatever comes', () => {
  const of = (): Tiers => reading({ v: 'float' }, '{ "symbol": s, "v": v }')

  test('deep, wide and long messages', () => {
    const deep = (n: number): string => `{"s":"X","v":1,"x":${'['.repeat(n)}${']'.repeat(n)}}`
    const wide = `{"s":"X","v":1,"x":{${Array.from({ length: 20_000 }, (_, i) => `"k${i}":1`).join()}}}`
    const tuple = `{"s":"X","v":1,"x":[${Array.from({ length: 20_000 }, () => '1').join()}]}`
    const long = `{"s":"X","v":1,"x":"${'x'.repeat(900_000)}"}`
    const all = [deep(5), deep(50), deep(30_000), wide, tuple, long]
    expect(fed(of(), [...all, '{"s":"X","v":1}'])).toEqual([true, ...all.slice(1).map(() => false), true])
  })

  test('a value that is nested too deep for its expression is a breach of the contract, not of the process', () => {
    const string = reading({ t: 'text' }, '{ "symbol": s, "t": $string(x) }')
    fed(string, [`{"s":"X","x":${'['.repeat(60_000)}${']'.repeat(60_000)}}`, '{"s":"X","x":"1"}'])
    expect(string.parsing.out).toEqual(['any', 'x', '1'])
    const odd = reading({ v: 'float' }, '{ "symbol": s, "v": x * 2 }')
    odd.feed(bytes(`{"s":"X","x":${'['.repeat(60_000)}${']'.repeat(60_000)}}`))
    expect(odd.parsing.out[0]).toBe('KT2102')
  })

  test('a message ends where it ends, whatever lies behind it, and that is left as it was', () => {
    const { tree } = new Mappings([parseMapping('test', '{ "p": { "any": { "symbol": s, "v": v } } }')]).part('p', [anySchema({ v: 'float' })], { long: 0 })!
    const templates = new Templates(tree, [sharedCells(anySchema({ v: 'float' }))], tierCounts(), () => {})
    const one = bytes('{"s":"X","v":1}')
    for (let i = 0; i < 2; i++) templates.learn(one)
    // As a socket has them: many in one piece of memory, with anything behind the last one.
    const piece = bytes(`${'{"s":"X","v":12}'.repeat(6)}99999999`)
    const before = piece.slice()
    for (let turn = 0; turn < 3; turn++) {
      for (let at = 0; at < 6; at++) {
        expect(templates.scan(piece, 0, 16 * at, 16 * at + 16)).toBe(1)
        expect(templates.memory.bytes.buffer === piece.buffer).toBe(turn + at > 0)
        for (let cut = 1; cut < 16; cut++) expect(templates.scan(piece, 0, 16 * at, 16 * at + cut), `${cut}`).toBe(-1)
        expect(templates.scan(piece, 0, 16 * at, 16 * at + 17)).toBe(-1)
      }
    }
    expect(piece).toEqual(before)
    // Without room behind it a message is copied.
    expect(templates.scan(piece.subarray(0, 16).slice(), 0)).toBe(1)
    expect(templates.memory.bytes.buffer === piece.buffer).toBe(false)
  })

  test('a message that ends within a text, which nothing ends before the memory does, is none', () => {
    const target = sharedCells(anySchema({ v: 'float', t: 'text' }))
    const { tree } = new Mappings([parseMapping('test', '{ "p": { "any": { "symbol": s, "v": v, "t": t } } }')]).part('p', [target.schema], { long: 0 })!
    const templates = new Templates(tree, [target], tierCounts(), () => {})
    const one = '{"v":1,"s":"X","t":"some words"}'
    for (let i = 0; i < 2; i++) templates.learn(bytes(one))
    const piece = bytes(`${one}${one.slice(0, -6)}${'w'.repeat(64)}`)
    const whole = (): number => templates.scan(piece, 0, 0, one.length)
    expect([whole(), whole()]).toEqual([1, 1])
    expect(templates.memory.bytes.buffer === piece.buffer).toBe(true)
    for (let cut = 1; cut < one.length - 6; cut++) expect(templates.scan(piece, 0, one.length, one.length + cut), `${cut}`).toBe(-1)
    expect(whole()).toBe(1)
  })

  test('a new shape is learned after many that came once', () => {
    const one = of()
    for (let i = 0; i < 150; i++) one.feed(bytes(`{"s":"X","v":1,"x${i}":1}`))
    expect(fed(one, ['{"s":"X","v":1}'])).toEqual([true])
  })

  test('a shape of which the first messages go a way that cannot be scanned is learned from one that goes another', () => {
    const book = reading({ v: 'float', w: 'float' }, '{ "symbol": s, "v": v, "w": k = "whole" ? $length(k) : 0 }')
    const message = (kind: string): Uint8Array => bytes(`{"s":"X","v":1,"k":"${kind}"}`)
    for (let i = 0; i < 3; i++) book.feed(message('whole'))
    for (let i = 0; i < 3; i++) book.feed(message('part'))
    expect([book.feed(message('part')), book.feed(message('other')), book.feed(message('whole'))]).toEqual([true, false, false])
    expect(book.scanning.learned).toMatchObject([[expect.anything(), expect.stringMatching('length')], [expect.anything(), undefined]])
  })

  test('keys that look like parts of a shape are not taken for them', () => {
    expect(fed(of(), ['{"s":"X","v":1,"a:t,b":"x"}', '{"s":"X","v":1,"a":"x","b":"y"}'])).toEqual([true, true])
  })
})
