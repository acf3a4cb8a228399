import { binanceFrames, bybitFrames } from '../frames.ts'
import type { FrameSet, MarketFrame } from '../frames.ts'
import { ktReader } from '../kt.ts'
import { Loop } from '../loop.ts'
import { measure, resultOf } from '../measure.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { bookDelta, trade } from '../../market/index.ts'
import { loadMapping } from '../../sources/driver/jsonata.ts'
import { markets } from '../../sources/index.ts'
import { partsOf } from '../../sources/mapping/tree.ts'
import { only } from './columns.ts'
import type { Result } from './result.ts'

/** What the interpreter of JSONata makes of the same mapping. */
const interpreted = (set: FrameSet) => {
  const files = markets.find(({ name }) => name === set.source)!.market.mappings.map(loadMapping)
  const ofPart = (channel: string) => files.find(({ file, tree }) => partsOf(file, tree).has(channel))!
  const parts = { trade: ofPart('trade'), book: ofPart('book') }
  return async ({ channel, bytes, received, symbol }: MarketFrame): Promise<unknown> =>
    parts[channel as 'trade' | 'book'].evaluate(channel, JSON.parse(bytes as unknown as string), {
      received,
      symbol,
      limit: 0,
    })
}

/**
 * Every field that the interpreter makes is the same, number for number, in the rows of the compiled
 * mapping.
 */
const expectSame = async (set: FrameSet): Promise<void> => {
  const rows: (readonly [string, (field: string) => unknown])[] = []
  // A row is valid only during the call: what is compared is copied.
  const take = ktReader(set.source, (schema, row) => {
    const fields = schemas.get(schema)!.columns.map(({ name, kind }) => {
      const value = (row as Readonly<Record<string, unknown>>)[name]
      return [name, kind === 'floats' ? Array.from(value as Iterable<number>) : value] as const
    })
    const copy = new Map(fields)
    rows.push([schema, (field) => copy.get(field)])
  })
  const evaluate = interpreted(set)
  for (const frame of set.frames.slice(0, 300)) {
    rows.length = 0
    take(frame)
    const made = ((await evaluate(frame)) ?? {}) as Readonly<Record<string, object | readonly object[]>>
    const raws = Object.entries(made).flatMap(([schema, raw]) =>
      [raw].flat().map((one) => [schema, one as Readonly<Record<string, unknown>>] as const),
    )
    const differs = raws.some(([schema, raw], at) => {
      const [name, field] = rows[at] ?? ['', () => undefined]
      return (
        name !== schema || Object.keys(raw).some((key) => key !== 'symbol' && !same(field(key), raw[key]))
      )
    })
    if (differs || raws.length !== rows.length) {
      throw new Error(`${set.name}: other rows than the interpreter's, of ${frame.bytes.toString()}`)
    }
  }
}

const schemas = new Map([trade, bookDelta].map((one) => [one.name as string, one as AnySchema]))

/** A list of one may stand alone in JSONata. */
const same = (field: unknown, raw: unknown): boolean =>
  Array.isArray(field) ? JSON.stringify([raw].flat()) === JSON.stringify(field) : Object.is(field, raw)

/** G3: the compiled mapping beside the interpreter of the same JSONata, both from the bytes of a message. */
export const mapping = async (quick: boolean): Promise<readonly Result[]> => {
  const [spot, usdm] = [binanceFrames('spot'), binanceFrames('usdm')]
  const most = quick ? 4_000 : 20_000
  const sets = [
    only(spot, 'trade', most),
    only(spot, 'book', most),
    only(usdm, 'book', most),
    ...bybitFrames().map((set) => only(set, 'book', most)),
  ].map((set) => ({ ...set, frames: set.frames.filter(({ channel }) => channel !== 'seed') }))
  const results: Result[] = []
  for (const set of sets.slice(0, quick ? 4 : 6)) {
    await expectSame(set)
    const loop = new Loop(set)
    let [turns, rows] = [0, 0]
    const take = ktReader(set.source, () => void rows++)
    const evaluate = interpreted(set)
    const few = set.frames.slice(0, quick ? 150 : 600)
    const compiled = {
      name: 'compiled',
      before: () => loop.turn(turns++),
      run: () => {
        for (const frame of loop.frames) take(frame)
      },
    }
    const reference = {
      name: 'jsonata interpreter',
      ops: few.length,
      run: async () => {
        for (const frame of few) await evaluate(frame)
      },
    }
    const measured = await measure([compiled, reference], { rounds: quick ? 3 : 7, ops: loop.frames.length })
    const [ours, theirs] = measured
    results.push(resultOf({ goal: 'G3', what: set.name, unit: 'CPU ns/frame' }, ours!, theirs!))
    if (rows === 0) throw new Error(`${set.name}: no row was made`)
  }
  return results
}
