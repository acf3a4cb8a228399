import { join } from 'node:path'
import { recordedFrames, simulatedFrames } from '../../cli/frames.ts'
import type { Example } from '../../cli/frames.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { loadMapping, parseMapping } from '../../sources/driver/jsonata.ts'
import { markets } from '../../sources/index.ts'
import type { Named } from '../../sources/names.ts'
import { hasRecordings, recordings } from '../recordings.ts'
import { anySchema } from './tiers.ts'
import type { TiersOf } from './tiers.ts'

/** A part of a mapping, and messages that are right for it, a letter a byte. */
export interface Target {
  readonly name: string
  readonly of: TiersOf
  readonly messages: readonly string[]
}

const names: ReadonlyMap<string, Named> = new Map([
  ['BTCUSDT', { instrument: 'b', wanted: true }],
  ['ETHUSDT', { instrument: 'e', wanted: true }],
  ['XRPUSDT', { instrument: 'x', wanted: false }],
])

const FILES = ['binance/demo-20230405-funding', 'binance/demo-20240808-btc/usdm_btcusdt_20240808.gz', 'binance/demo-20240808-btc/spot_btcusdt_20240808.gz',
  'bybit/v5_spot_linear_btc_sol_20260809.jsonl.zst']

/** Real messages, so many of each channel; none, said aloud, where there are no recordings. */
export const recorded = async (most: number): Promise<readonly Example[]> => {
  const files = FILES.map((file) => join(recordings, file))
  return hasRecordings('real messages that are changed', files[0]!) ? recordedFrames(files, markets, most) : []
}

const LETTERS_MAX = 1_500

/** Every channel whose messages may be scanned, for one symbol and for all of them. */
export const channelTargets = (examples: readonly Example[]): readonly Target[] =>
  markets.flatMap(({ market }) => {
    const mappings = market.mappings.map(loadMapping)
    return Object.entries(market.channels).flatMap(([part, { schemas, card }]): readonly Target[] => {
      const all = examples.filter(({ source, channel }) => source === market.name && channel === part)
      const messages = all.map(({ bytes }) => Buffer.from(bytes).toString('latin1')).filter(({ length }) => length < LETTERS_MAX)
      if (messages.length === 0) return []
      const patch = card.model === 'patch'
      const name = `${market.name}.${part}`
      const of = { mappings, part, schemas: schemas as readonly AnySchema[], names, patch }
      const one = messages.filter((message) => message.includes('BTCUSDT'))
      return [
        // What is patched is patched by topic, and a topic is of one symbol.
        ...(patch ? [] : [{ name: `${name} of all`, of: { ...of, symbol: undefined }, messages }]),
        ...(one.length === 0 ? [] : [{ name: `${name} of one`, of: { ...of, symbol: 'BTCUSDT' }, messages: one }]),
      ]
    })
  })

const BOOKS = [
  '{"lastUpdateId":1027024,"E":1589436922972,"T":1589436922959,"bids":[["4.00000000","431.00000000"]],"asks":[["4.00000200","12.00000000"]]}',
  '{"lastUpdateId":160,"bids":[["0.0024","10"],["0.0023","2"],["0.0001","0.5"]],"asks":[["0.0026","100"],["0.003","1"]]}',
  '{"lastUpdateId":-1,"bids":[],"asks":[["1","2"]]}', '{"lastUpdateId":7,"bids":[],"asks":[]}',
]

/** The beginnings of books that are asked for: a message names no symbol. */
export const seedTargets = (): readonly Target[] =>
  markets.flatMap(({ market }) =>
    Object.entries(market.channels).flatMap(([channel, { schemas, seed }]): readonly Target[] => {
      if (seed === undefined) return []
      const part = `${channel}.seed`
      const of = { mappings: market.mappings.map(loadMapping), part, schemas: schemas as readonly AnySchema[], names }
      return ['BTCUSDT', undefined].map((symbol) => ({ name: `${market.name}.${part} of ${symbol ?? 'all'}`, of: { ...of, symbol }, messages: BOOKS }))
    }))

const skipping = '"skip": k = 9 ? { "symbol": s, "first": a, "last": b }'

/** Mappings of no venue, for what those of venues do not use. */
export const oddTargets = (): readonly Target[] => {
  const odd = (name: string, columns: Readonly<Record<string, string>>, mapping: string, messages: readonly string[]): Target => ({
    name,
    of: { mappings: [parseMapping(name, `{ "p": ${mapping} }`)], part: 'p', schemas: [anySchema(columns)], symbol: name.endsWith('all') ? undefined : 'BTCUSDT', names },
    messages,
  })
  const patch = (...of: Parameters<typeof odd>): Target => {
    const target = odd(...of)
    return { ...target, of: { ...target.of, patch: true } }
  }
  return [
    odd('numbers', { i: 'int', c: '?count', m: 'micros', f: '?float', g: 'float' },
      '{ "any": { "symbol": s, "i": i, "c": c > 0 ? c, "m": m * 1000, "f": f != "" ? $number(f), "g": -$number(g) / 4 + i * 2 } }',
      ['{"s":"BTCUSDT","i":5,"c":0,"m":1785000000000,"f":"","g":"1.25"}', '{"s":"BTCUSDT","i":-2147483647,"c":9007199254740991,"m":0,"f":"0.00010000","g":"-0"}',
        '{"g":"0.5","x":[1,2],"f":"1","s":"BTCUSDT","i":0,"c":-0,"m":9007199254740,"y":null}']),
    odd('words', { a: 'choice one two', b: '?choice one two', t: 'text', u: '?text', f: 'flag', g: '?flag' },
      '{ "any": { "symbol": s, "a": a, "b": k = 1 ? a : k = 2 ? "two", "t": t, "u": f ? $string(n), "f": f and k >= 1 or t = "x", "g": $exists(z) ? f } }',
      ['{"s":"BTCUSDT","a":"one","k":1,"t":"text","n":12345678901,"f":true}', '{"s":"BTCUSDT","a":"two","k":2,"t":"","n":0,"f":false,"z":null}', '{"s":"BTCUSDT","a":"two","k":3.5,"t":"x","n":7,"f":true}']),
    odd('ids', { first: '?count', last: '?count' },
      `{ "any": k < 9 ? { "symbol": s, "first": k = 1 ? a, "last": b }, ${skipping} }`,
      ['{"s":"BTCUSDT","a":1,"b":2,"k":2}', '{"s":"BTCUSDT","a":3,"b":3,"k":9}', '{"s":"BTCUSDT","a":4,"b":4,"k":1}', '{"s":"BTCUSDT","a":0,"b":1,"k":9}', '{"s":"BTCUSDT","a":2,"b":2,"k":1}']),
    odd('rows of all', { p: 'float', t: 'micros', i: 'text' },
      '{ "any": ($t := t; d.r.{ "symbol": s, "p": $number(p), "t": $t * 1000, "i": $string(i) }) }',
      ['{"t":5,"d":{"r":[{"s":"BTCUSDT","p":"1.5","i":1}]}}', '{"t":6,"d":{"r":[{"s":"BTCUSDT","p":"1","i":1},{"s":"ETHUSDT","p":"2","i":22},{"s":"XRPUSDT","p":"3","i":333},{"s":"NO","p":"4","i":4}]}}',
        '{"d":{"r":[{"s":"ETHUSDT","p":"1","i":1},{"s":"ETHUSDT","p":"2.5","i":2}]},"t":7}']),
    odd('lists', { aPrices: 'floats', aSizes: 'floats', bPrices: 'floats', bSizes: 'floats', l: 'floats' },
      '{ "any": ($k := k; { "symbol": s, "aPrices": a.$number($[0]), "aSizes": a.($number($[1]) * $k), "bPrices": b.$number(p), "bSizes": b.$number(q), "l": a.($number($[1]) / $number($[0])) }) }',
      ['{"s":"BTCUSDT","k":2,"a":[["1","2"],["3","4"]],"b":[]}', '{"s":"BTCUSDT","k":0,"a":[],"b":[{"p":"1","q":"2"},{"p":"0.5","q":"0"}]}', '{"s":"BTCUSDT","k":1.5,"a":[["1.5","0.00000001"]],"b":[{"p":"1","q":"2","x":[]}]}']),
    patch('patch', { time: 'micros', t: 'micros', p: 'float', q: '?float', n: '?count', i: 'int' },
      '{ "any": { "symbol": d.s, "time": t * 1000, "t": d.t * 1000, "p": $number(d.p), "q": d.q != "" ? $number(d.q), "n": $number(d.n) * 2, "i": d.i } }',
      ['{"d":{"s":"BTCUSDT","t":5,"p":"1.5","q":"","n":"17","i":3,"z":"x","y":1},"t":5}', '{"d":{"s":"BTCUSDT","p":"2.5","n":"18"},"t":6}', '{"d":{"s":"BTCUSDT","q":"2.5","i":-4,"y":2},"t":7}',
        '{"d":{"s":"BTCUSDT","z":"y"},"t":8}', '{"d":{"s":"BTCUSDT","t":6,"q":"0.00001","z":"w"},"t":9}', '{"d":{"s":"BTCUSDT"},"t":9}']),
    patch('patches', { a: 'float', b: '?float' },
      '{ "any": { "symbol": d.s, "a": d.a = "" ? 1 : $number(d.a) * u, "b": $exists(d.b) ? $number(d.b) : 7 } }',
      ['{"u":2,"d":{"s":"BTCUSDT","a":"3","b":"4"}}', '{"u":3,"d":{"s":"BTCUSDT","b":"5"}}', '{"u":4,"d":{"s":"BTCUSDT","a":""}}', '{"u":5,"d":{"s":"BTCUSDT"}}']),
    odd('array', { p: 'float', q: '?float', side: 'choice b s' }, '{ "any": { "symbol": $[0], "p": $number($[1]), "q": $[2], "side": $[3] } }',
      ['["BTCUSDT","1.5",2,"b"]', '["BTCUSDT","0",0.5,"s","x"]']),
    odd('first', { a: '?float', b: '?float' }, '{ "any": { "symbol": s, "a": $number(l[0][0]), "b": $exists(l[0]) ? $number(l[-1][1]) : 5 } }',
      ['{"s":"BTCUSDT","l":[["1","2"]]}', '{"s":"BTCUSDT","l":[]}', '{"s":"BTCUSDT","l":[["1","2"],["3","4"]]}']),
  ]
}

/** All messages that are changed: of venues as the simulated exchange writes them, as they were recorded, and odd ones. */
export const allTargets = async (): Promise<readonly Target[]> =>
  [...channelTargets(simulatedFrames(3)), ...channelTargets(await recorded(300)), ...seedTargets(), ...oddTargets()]
