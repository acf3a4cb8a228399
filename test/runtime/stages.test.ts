import { describe, expect, test } from 'vitest'
import type { Plan } from '../../graph/plan.ts'
import { randomOf } from '../random.ts'
import { copied, diamond, hashed, silent, turns, work } from './stages-graph.ts'
import { madeIn, newHome, rowsIn, runStages, tapsOf } from './stages-world.ts'
import type { Rows, Running, Tapped } from './stages-world.ts'

const outcome = async (plan: Plan, taps: readonly Tapped[], how: Running = {}): Promise<Rows> => {
  const home = newHome()
  await runStages(plan, home, taps, how)
  return rowsIn(plan, home)
}

const PLANS: readonly (readonly [string, Plan])[] = [
  ['two stages', work.two],
  ['three stages', work.three],
  ['two topics of one stage', turns],
  ['topics of two stages', diamond],
  ['a copy', copied],
]

describe('a graph of several stages', () => {
  test.each([1, 2, 3])('makes of the same taps what one stage makes of them (seed %i)', async (seed) => {
    const taps = tapsOf(seed)
    const [whole, two, three] = [
      await outcome(work.one, taps),
      await outcome(work.two, taps),
      await outcome(work.three, taps),
    ]
    expect(whole['total/0']!.length).toBeGreaterThan(100)
    for (const topic of ['sum/0', 'sum/1', 'total/0']) {
      expect(two[topic]).toEqual(whole[topic])
      expect(three[topic]).toEqual(whole[topic])
    }
  })

  test.each(PLANS)('writes the same rows whenever its stages get their turns: %s', async (_, plan) => {
    const calm = await outcome(plan, tapsOf(4))
    for (let seed = 1; seed <= 5; seed++) {
      const draw = randomOf(seed)
      expect(await outcome(plan, tapsOf(4), { turns: (below) => draw(below) })).toEqual(calm)
    }
    expect(await outcome(plan, tapsOf(4), { turns: () => 0 })).toEqual(calm)
  })

  test.each(PLANS)('writes the same rows in other batches: %s', async (_, plan) => {
    const calm = await outcome(plan, tapsOf(5))
    for (const how of [{ lingerMs: 0, rowsMax: 1 }, { lingerMs: 40, rowsMax: 3 }, { lingerMs: 1000 }])
      expect(await outcome(plan, tapsOf(5), how)).toEqual(calm)
  })

  test.each(PLANS.flatMap(([name, plan]) => [1, 2, 3, 4, 5, 6].map((seed) => [name, seed, plan] as const)))(
    'writes the same rows with and without deaths: %s (seed %i)',
    async (_, seed, plan) => {
      const taps = tapsOf(seed)
      const draw = randomOf(seed + 1000)
      const deaths = Array.from({ length: 1 + draw(5) }, () => draw(taps.length))
      const how = { deaths, turns: (below: number) => draw(below) }
      expect(await outcome(plan, taps, how)).toEqual(await outcome(plan, taps))
    },
  )

  test('takes the rows of two topics of one stage in the order in which they were made', async () => {
    const home = newHome()
    await runStages(turns, home, tapsOf(6))
    const [states, hashes] = [new Map<string, { left: number; right: number }>(), new Map<string, number>()]
    const expected = madeIn(turns, home).flatMap(({ topic, row }) => {
      if (topic !== 'tap') return []
      const instrument = String(row['instrument'])
      const group = instrument.slice(0, 1)
      const seen = states.get(instrument) ?? { left: 0, right: 0 }
      states.set(instrument, seen)
      return Array.from({ length: 1 + (Number(row['value']) % 3) }, () => {
        let hash = hashed(hashes.get(group) ?? 0, 1, ++seen.left)
        const made = { group, hash, received: row['received'] }
        for (let i = 0; i <= seen.left % 2; i++) hash = hashed(hash, 2, ++seen.right)
        hashes.set(group, hash)
        return made
      })
    })
    expect(expected.length).toBeGreaterThan(400)
    expect(rowsIn(turns, home)['mix/0']).toEqual(expected)
  })

  test('takes a row before what follows from it, and ticks where they came', async () => {
    const home = newHome()
    await runStages(diamond, home, tapsOf(7))
    const [sums, hashes] = [new Map<string, number>(), new Map<string, number>()]
    const expected = madeIn(diamond, home).flatMap(({ topic, row }) => {
      const instrument = String(row['instrument'])
      const group = instrument.slice(0, 1)
      if (topic === 'kt.control') {
        const length = String(row['kind']).length
        if (instrument !== '') hashes.set(group, hashed(hashes.get(group) ?? 0, 3, length))
        else for (const [one, hash] of hashes) hashes.set(one, hashed(hash, 3, length))
      }
      if (topic !== 'tap') return []
      const value = (sums.get(instrument) ?? 0) + Number(row['value'])
      sums.set(instrument, value)
      const hash = hashed(hashed(hashes.get(group) ?? 0, 1, Number(row['value'])), 2, value)
      hashes.set(group, hash)
      return [{ group, hash, received: row['received'] }]
    })
    expect(expected).toHaveLength(300)
    expect(rowsIn(diamond, home)['mix/0']).toEqual(expected)
  })

  test('is at most a tick behind one that has nothing to say', async () => {
    const home = newHome()
    const behind: number[] = []
    const meanwhile = async (_: unknown, at: number): Promise<void> => {
      const { 'mix/0': made = [], ...rest } = rowsIn(silent, home)
      const newest = Math.max(
        0,
        ...Object.values(rest).flatMap((all) => all.map((row) => Number(row['received']))),
      )
      const last = Number(made.at(-1)?.['received'] ?? newest)
      if (at % 10 === 9) behind.push(newest - last)
    }
    await runStages(silent, home, tapsOf(9), { meanwhile, turns: () => 4 })
    expect(behind).toHaveLength(30)
    expect(Math.max(...behind)).toBeLessThan(400_000)
    expect(rowsIn(silent, home)['mix/0']).toHaveLength(300)
  })

  test('deals rows anew by another key, each once, in the order of their partition', async () => {
    const rows = await outcome(copied, tapsOf(8))
    const before = [0, 1, 2].flatMap((part) => rows[`tap/${part}`] ?? [])
    const after = [0, 1, 2, 3].flatMap((part) => rows[`tap-by-one/${part}`] ?? [])
    const of = (all: typeof before, instrument: string) =>
      all.filter((row) => row['instrument'] === instrument)
    expect(after).toHaveLength(300)
    expect(Object.keys(rows).filter((name) => name.startsWith('tap-by-one/')).length).toBeGreaterThan(1)
    for (const instrument of ['a1', 'a2', 'b1', 'c1', 'c2'])
      expect(of(after, instrument)).toEqual(of(before, instrument))
  })
})
