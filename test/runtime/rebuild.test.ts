import { describe, expect, test } from 'vitest'
import { graph } from '../../graph/graph.ts'
import type { Graph } from '../../graph/graph.ts'
import { plan } from '../../graph/plan.ts'
import { rebuildOf } from '../../graph/rebuild.ts'
import { operator, plain } from '../../graph/operator.ts'
import { topic } from '../../graph/topic.ts'
import { randomOf } from '../random.ts'
import { liveRows, rebuilt } from './rebuild-world.ts'
import { hashed, source, system, tapTopic } from './stages-graph.ts'
import { newHome, runStages, tapsOf } from './stages-world.ts'
import type { Home, Rows, Running } from './stages-world.ts'
import { byGroup, read, sum, sums, tap, total, totals, venue } from './world.ts'
import type { Sum, Tap } from './world.ts'

const sumTopic = topic('sum', { schema: sum, key: byGroup, partitions: 2 })
const totalTopic = topic('total', { schema: total, key: byGroup })

/** All in one stage; what the operators read is in a topic of kt's own. */
const one = graph('work', (g) => {
  const added = g.source(venue, source).tap.via(read).via(sums)
  added.through(sumTopic)
  added.via(totals).through(totalTopic)
})
/** All in one stage, and what the operators read is in a topic of the graph. */
const logged = graph('work', (g) => {
  const taps = g.source(venue, source).tap.via(read)
  taps.through(tapTopic)
  const added = taps.via(sums)
  added.through(sumTopic)
  added.via(totals).through(totalTopic)
})
/** A stage behind a stage behind the sources. */
const three = graph('work', (g) => {
  const added = g.source(venue, source).tap.via(read).through(tapTopic).via(sums).through(sumTopic)
  added.via(totals).through(totalTopic)
})
/** What it makes depends on the order in which taps and their sums come to it. */
const braided = operator({
  name: 'braided',
  inputs: { tap, sum },
  outputs: [total],
  key: byGroup,
  state: plain(1, () => ({ hash: 0 })),
  on: {
    tap: (state, { value }: Tap) => void (state.hash = hashed(state.hash, 1, value)),
    sum: (state, { instrument, sum: value, received }: Sum, emit) => {
      state.hash = hashed(state.hash, 2, value)
      emit.total({ group: instrument.slice(0, 1), total: state.hash, ticks: 0, received })
    },
  },
})
const both = graph('work', (g) => {
  const taps = g.source(venue, source).tap.via(read).through(tapTopic)
  g.merge(taps, taps.via(sums).through(sumTopic)).via(braided).through(totalTopic)
})

const GRAPHS: readonly (readonly [string, Graph, readonly string[]])[] = [
  ['one stage, from all that its normalizer made', one, []],
  ['one stage, from a topic', logged, ['tap']],
  ['one stage, from the middle', logged, ['sum']],
  ['three stages, from the first topic', three, ['tap']],
  ['three stages, from a topic that another stage wrote', three, ['sum']],
]

const ran = async (graph: Graph, seed: number, how: Running = {}): Promise<Home> => {
  const home = newHome()
  await runStages(plan(graph, system), home, tapsOf(seed), how)
  return home
}

/** What is made again has the run's own rows for kt aside. */
const own = (rows: Rows): Rows =>
  Object.fromEntries(Object.entries(rows).filter(([key]) => !key.startsWith('kt.')))

describe('what is made again of a log', () => {
  test.each(GRAPHS)('is what the run made: %s', async (_, graph, named) => {
    for (const seed of [1, 2, 3]) {
      const draw = randomOf(seed)
      const live = await ran(graph, seed, { deaths: [60 + draw(150)], lingerMs: draw(30) })
      const { rows, rebuild } = await rebuilt(graph, live, { named })
      expect(own(rows)).toEqual(liveRows(graph, live, rebuild))
      expect(rows['total/0']!.length).toBeGreaterThan(100)
    }
  })

  test.each(GRAPHS)('is the same when it dies again and again: %s', async (_, graph, named) => {
    const live = await ran(graph, 5)
    for (const seed of [1, 2, 3, 4]) {
      const draw = randomOf(seed)
      const deaths = Array.from({ length: 4 }, () => 1 + draw(12))
      const { rows, rebuild, lives } = await rebuilt(graph, live, { named, deaths, follow: true })
      expect(own(rows)).toEqual(liveRows(graph, live, rebuild))
      expect(lives).toBeGreaterThan(2)
    }
  })

  test('waits for what a stage of the run has not made yet', async () => {
    for (const seed of [1, 2, 3, 4]) {
      const draw = randomOf(seed)
      const live = newHome()
      let lives = 0
      const saving: NonNullable<Running['saving']> = (objects) => {
        if (lives++ > 0) throw new Error('enough')
        return objects
      }
      const behind: Running = { deaths: [150], saving, turns: () => (draw(12) === 0 ? 1 : 0) }
      await expect(runStages(plan(both, system), live, tapsOf(seed), behind)).rejects.toThrow('enough')
      const first = await rebuilt(both, live, { named: ['sum'] })
      await runStages(plan(both, system), live, tapsOf(seed))
      const { rows, rebuild } = await rebuilt(both, live, { named: ['sum'], home: first.home })
      expect(own(rows)).toEqual(liveRows(both, live, rebuild))
      expect(rows['total/0']).toHaveLength(300)
    }
  })

  test('goes on when it is asked for again, and the run has gone on', async () => {
    const live = newHome()
    const half = tapsOf(6).slice(0, 150)
    await runStages(plan(logged, system), live, half)
    const first = await rebuilt(logged, live, { named: ['tap'] })
    await runStages(plan(logged, system), live, tapsOf(6).slice(150))
    const { rows, rebuild } = await rebuilt(logged, live, { named: ['tap'], home: first.home })
    expect(own(rows)).toEqual(liveRows(logged, live, rebuild))
    expect(rows['total/0']!.length).toBeGreaterThan(first.rows['total/0']!.length)
  })
})

describe('a rebuild', () => {
  const of = (graph: Graph, ...named: string[]) => rebuildOf(graph, system, named)
  const names = (topics: readonly { readonly name: string }[]) => topics.map(({ name }) => name)

  test('reads what is named, and what else it takes', () => {
    expect(names(of(one).from)).toEqual(['kt.input.tap'])
    expect(names(of(logged, 'tap').makes)).toEqual(['sum', 'total'])
    expect(names(of(logged, 'sum').makes)).toEqual(['total'])
    expect(names(of(three, 'tap', 'sum').from)).toEqual(['tap'])
    expect(of(three, 'sum').runs.map(({ name }) => name)).toEqual(['work/totals'])
  })

  test('writes no partition of a topic of kt that the run writes', () => {
    for (const [, graph, named] of GRAPHS) {
      const { runs, partitions } = of(graph, ...named)
      expect(partitions).toBe(plan(graph, system).stages.length)
      expect(runs.map(({ partition }) => partition)).toEqual(runs.map((_, at) => partitions + at))
    }
  })

  test.each([
    ['nowhere', 'KT1021'],
    ['total', 'KT1022'],
  ])('refuses %s by %s', (name, code) => {
    expect(() => of(three, name)).toThrow(expect.objectContaining({ code }) as Error)
  })
})
