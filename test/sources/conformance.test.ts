import { describe, expect, test } from 'vitest'
import { GraphError } from '../../graph/error.ts'
import { parseMapping } from '../../sources/driver/jsonata.ts'
import { compile } from '../../sources/mapping/compile.ts'
import type { Compiled } from '../../sources/mapping/compile.ts'
import { partsOf } from '../../sources/mapping/tree.ts'
import { expressions, messages, texts } from './expressions.ts'
import { Dice, digitwise, mutated } from './mutate.ts'
import { anySchema, tiers } from './tiers.ts'
import type { TiersOf } from './tiers.ts'

// Where an error came from is never asked here.
Error.stackTraceLimit = 0

const bound = { symbol: 'X', received: 1_770_000_000_500_000, limit: 1000 }
const names = new Map([['X', { instrument: 'x', wanted: true }]])

/** Messages as objects that have a symbol besides what the expression is about. */
const frames: readonly string[] = [
  ...messages.map((message) => {
    const own = message !== null && typeof message === 'object' && !Array.isArray(message) ? message : { a: message }
    return JSON.stringify({ s: 'X', ...own }).replace(/"a":0(?=,"b":0})/, '"a":-0')
  }),
  ...texts.map((text) => text.replace(/^ ?\{/, '{"s":"X",')),
]
const values: readonly unknown[] = frames.map((frame) => JSON.parse(frame) as unknown)

/** Kinds of columns that may hold a value, one of each pair that may be missing and one that may not. */
const kindsOf = (value: unknown): readonly string[] => {
  if (typeof value === 'number') return Number.isInteger(value) ? ['?float', 'float', 'count', '?int', 'micros', 'floats'] : ['?float', 'float', 'floats']
  if (typeof value === 'boolean') return ['flag', '?flag']
  if (typeof value === 'string') return ['text', '?text', '?choice x y 1 2', 'choice x y s b']
  return Array.isArray(value) && value.every((one) => typeof one === 'number') ? ['floats'] : []
}

/** What the expression comes to over each frame; undefined too where it throws. */
const outcomes = (run: Compiled): readonly unknown[] =>
  values.map((value) => {
    try {
      return run(structuredClone(value), bound)
    } catch {
      return undefined
    }
  })

interface Sum {
  expressions: number
  /** Expression and frame, of a kind of column, where the frame was scanned. */
  scanned: number
  parsed: number
  mutations: number
}

/** Eight frames at a time: more templates are not kept. */
const TOGETHER = 8

/** May the outcome fit the column? Of those that do not, which are refused, a few are enough. */
const fits = (value: unknown, kind: string, at: number): boolean =>
  value === undefined ? kind.startsWith('?') || kind === 'floats' || at % 7 === 0 : kindsOf(value).includes(kind) || at % 7 === 0

const run = (expression: string, kind: string, frames: readonly string[], dice: Dice, sum: Sum): boolean => {
  const of: TiersOf = {
    mappings: [parseMapping('test', `{ "p": { "any": { "symbol": s, "v": ${expression} } } }`)],
    part: 'p', schemas: [anySchema({ v: kind })], symbol: 'X', names,
  }
  let any = false
  for (let from = 0; from < frames.length; from += TOGETHER) {
    const some = frames.slice(from, from + TOGETHER).map((frame) => Buffer.from(frame))
    const both = tiers(of)
    for (let round = 0; round < 2; round++) for (const frame of some) both.feed(frame)
    for (const frame of some) {
      if (!both.feed(frame)) {
        sum.parsed++
        continue
      }
      any = true
      sum.scanned++
      const text = frame.toString('latin1')
      for (let i = 0; i < 3; i++) both.feed(Buffer.from(i < 2 ? digitwise(dice, text) : mutated(dice, text), 'latin1'))
      sum.mutations += 3
    }
  }
  return any
}

describe('an expression as a column', () => {
  const sum: Sum = { expressions: 0, scanned: 0, parsed: 0, mutations: 0 }

  test('is scanned to what it is parsed to, over each message and what becomes of it, or refused', () => {
    const dice = new Dice(5)
    expressions.forEach((expression, at) => {
      const mapping = parseMapping('test', `{ "p": ${expression} }`)
      const compiled = compile('test', 'p', partsOf('test', mapping.tree).get('p')!, { long: 0 }).run
      const made = outcomes(compiled)
      const kinds = [...new Set(made.flatMap(kindsOf))]
      // Two kinds of each, in turn, so that all meet all over the corpus.
      const chosen = kinds.length <= 2 ? kinds : [kinds[at % kinds.length]!, kinds[(at * 7 + 3) % kinds.length]!]
      let any = false
      for (const kind of new Set(chosen)) {
        try {
          any = run(expression, kind, frames.filter((_, i) => fits(made[i], kind, i)), dice, sum) || any
        } catch (error) {
          if (!(error instanceof GraphError) || error.code !== 'KT2004') throw new Error(`${expression} as ${kind}: ${String(error)}`, { cause: error })
        }
      }
      if (any) sum.expressions++
    })
    console.log(`${sum.expressions} of ${expressions.length} expressions were scanned: ${sum.scanned} pairs of expression and message scanned, ${sum.parsed} parsed, ${sum.mutations} mutations`)
    expect(sum.expressions).toBeGreaterThan(100)
    expect(sum.scanned).toBeGreaterThan(1_000)
  }, 180_000)
})
