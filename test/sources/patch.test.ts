import { describe, expect, test } from 'vitest'
import { simulatedFrames } from '../../cli/frames.ts'
import { parseMapping } from '../../sources/driver/jsonata.ts'
import { channelTargets } from './fuzz-targets.ts'
import { anySchema, tiers } from './tiers.ts'
import type { Tiers } from './tiers.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const names = new Map([['X', { instrument: 'x', wanted: true }]])
const columns = { time: 'micros', a: 'float', b: '?float', n: '?count' }
const fields = '"symbol": d.s, "time": t * 1000, "a": $number(d.a), "b": d.b != "" ? $number(d.b), "n": d.n'
const of = (mapping = `{ "any": { ${fields} } }`, schema = columns): Tiers =>
  tiers({ mappings: [parseMapping('test', `{ "p": ${mapping} }`)], part: 'p', schemas: [anySchema(schema)], symbol: 'X', names, patch: true })
/** Both tiers agree on each message, or `feed` throws. What the last one came to: time, a, b, n. */
const feed = (both: Tiers, data: string, t = 1): { readonly scanned: boolean; readonly row: readonly unknown[] } => {
  const scanned = both.feed(bytes(`{"d":{"s":"X"${data}},"t":${t}}`))
  return { scanned, row: both.scanning.out.slice(2) }
}
const warm = (both: Tiers): void => {
  for (let i = 0; i < 2; i++) feed(both, ',"a":"1.5","b":"2","n":7,"other":"x"')
}

describe('messages that say only what changed', () => {
  test('are scanned, and what they leave out is as it was', () => {
    const both = of()
    warm(both)
    expect(feed(both, ',"b":"3"', 2)).toEqual({ scanned: true, row: [2000, 1.5, 3, 7] })
    expect(feed(both, ',"a":"4","n":8', 3)).toEqual({ scanned: true, row: [3000, 4, 3, 8] })
    expect(feed(both, ',"a":"5","b":"","other":"y"', 4)).toEqual({ scanned: true, row: [4000, 5, 3, 8] })
  })

  test('make no row when nothing of it changes, and the time waits for one that does', () => {
    const both = of()
    warm(both)
    expect(feed(both, ',"other":"y"', 5)).toEqual({ scanned: true, row: [] })
    expect(feed(both, ',"n":9', 6)).toEqual({ scanned: true, row: [6000, 1.5, 2, 9] })
  })

  test('go on from one that was parsed, and one that is parsed from them', () => {
    const both = of()
    warm(both)
    expect(feed(both, ',"b":"3"', 2).scanned).toBe(true)
    expect(feed(both, ', "a":"4"', 3)).toEqual({ scanned: false, row: [3000, 4, 3, 7] })
    expect(feed(both, ',"n":8', 4)).toEqual({ scanned: true, row: [4000, 4, 3, 8] })
  })

  test('make no row before what they change was said', () => {
    const both = of()
    for (let i = 0; i < 2; i++) feed(both, ',"b":"3","n":1')
    expect(feed(both, ',"b":"3"')).toEqual({ scanned: true, row: [] })
    expect(both.scanning.counts.early).toBe(3)
    for (let i = 0; i < 2; i++) feed(both, ',"a":"1","b":"3","n":1')
    expect(feed(both, ',"b":"4"')).toEqual({ scanned: true, row: [1000, 1, 4, 1] })
  })

  test('widen one template by what they have more, in whatever order it is first seen', () => {
    const both = of()
    const parts = [',"n":1', ',"a":"1","n":1', ',"a":"1","b":"2"', ',"b":"2","n":3', ',"a":"1","b":"2","n":3']
    for (const part of parts) for (let i = 0; i < 2; i++) feed(both, part)
    expect(parts.map((part) => feed(both, part).scanned)).toEqual(parts.map(() => true))
    expect(both.scanning.tiers.templates).toBe(1)
    // Another order of keys is another template.
    for (let i = 0; i < 2; i++) feed(both, ',"n":3,"a":"1"')
    expect(feed(both, ',"n":3,"a":"2"').scanned).toBe(true)
    expect(both.scanning.tiers.templates).toBe(2)
  })

  test.each([
    ['hang on several that may be left out', `{ "any": { ${fields.replace('d.n', 'd.n + d.m')} } }`],
    ['are rows only where something is there', `{ "any": d.n > 0 ? { ${fields} } }`],
    ['say that there is nothing', `{ "any": { ${fields.replace('? $number(d.b)', '? $number(d.b) : null')} } }`],
  ])('are parsed where they %s', (_, mapping) => {
    const both = of(mapping)
    for (let i = 0; i < 4; i++) expect(feed(both, ',"a":"1","b":"2","n":3,"m":4').scanned).toBe(false)
    expect(feed(both, ',"n":5').scanned).toBe(false)
  })

  test('of the exchange are nearly all scanned', () => {
    const target = channelTargets(simulatedFrames(40)).find(({ name }) => name === 'bybit.linear.mark of one')!
    const both = tiers(target.of)
    const scanned = target.messages.map((message) => both.feed(bytes(message)))
    expect(scanned.length).toBeGreaterThan(100)
    expect(scanned.slice(60).filter(Boolean).length / scanned.slice(60).length).toBeGreaterThan(0.9)
  })
})
