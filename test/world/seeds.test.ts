import { describe, expect, test } from 'vitest'
import { madeAgain } from './again.ts'
import { violations } from './check.ts'
import { runWorld, worldOf } from './world.ts'

/** 24 worlds in the default suite, 100 with --all; `npm run seeds -- FIRST COUNT` runs any number. */
const SEEDS = process.env['KT_ALL'] === undefined ? 24 : 100

describe('the graph in a simulated world', () => {
  test.each(Array.from({ length: SEEDS }, (_, at) => at + 1))(
    'keeps its promises (seed %i)',
    async (seed) => {
      const outcome = await runWorld(worldOf(seed))
      expect(violations(outcome)).toEqual({})
      expect(outcome.rows['quote']?.some((quote) => quote['trust'] === 'live')).toBe(true)
    },
  )

  test.each([1, 2, 3, 4, 5, 6])(
    'keeps its promises with the best prices that venues print (seed %i)',
    async (seed) => {
      const outcome = await runWorld({ ...worldOf(seed), graph: 'ticker-basis' })
      expect(violations(outcome)).toEqual({})
      const live = Map.groupBy(
        (outcome.rows['quote'] ?? []).filter((quote) => quote['trust'] === 'live'),
        (quote) => quote['instrument'],
      )
      expect(live.size).toBe(12)
      expect(outcome.rows['basis']?.some((row) => row['state'] === 'live')).toBe(true)
    },
  )

  test.each(Array.from({ length: SEEDS / 4 }, (_, at) => at + 1))(
    'keeps its promises with a topic between any two operators (seed %i)',
    async (seed) => {
      const outcome = await runWorld({ ...worldOf(seed), graph: 'stages' })
      expect(violations(outcome)).toEqual({})
      expect(outcome.plan.stages.map((stage) => stage.name)).toEqual([
        'stages/0',
        'stages/reconstruct',
        'stages/basisSpread',
        'stages/trade-by-asset',
        'stages/bars.5s',
      ])
      for (const name of ['reconstruct', 'bars.5s']) {
        const stage = outcome.plan.stages.find((one) => one.name === `stages/${name}`)!
        const { topic } = stage.writes[0]!
        const again = madeAgain(stage.operators[0]!.operator, outcome.made, topic)
        again.forEach((rows, part) => expect(outcome.parts[`${topic.name}/${part}`] ?? []).toEqual(rows))
        expect(again.flat().length).toBeGreaterThan(20)
      }
      expect(outcome.rows['basis']?.some((row) => row['state'] === 'live')).toBe(true)
    },
  )

  test.each([1, 2, 3])('writes the same bytes for the same seed (seed %i)', async (seed) => {
    const [one, other] = [await runWorld(worldOf(seed)), await runWorld(worldOf(seed))]
    expect(other.digest).toBe(one.digest)
  })

  test('writes the same bytes for the same seed with a topic between any two operators', async () => {
    const [one, other] = [1, 2].map(() => runWorld({ ...worldOf(2), graph: 'stages' }))
    expect((await other!).digest).toBe((await one!).digest)
  })

  test('is live everywhere, and without gaps, when nothing goes wrong', async () => {
    const outcome = await runWorld({ ...worldOf(1), faults: 'none', deaths: [] })
    expect(outcome.rows['gap']).toBeUndefined()
    const last = new Map((outcome.rows['quote'] ?? []).map((quote) => [quote['instrument'], quote]))
    const trust = [...Map.groupBy(outcome.rows['quote'] ?? [], (quote) => quote['instrument']).values()].map(
      (quotes) => quotes.some((quote) => quote['trust'] === 'live'),
    )
    expect(last.size).toBe(12)
    expect(trust.every(Boolean)).toBe(true)
  })
})
