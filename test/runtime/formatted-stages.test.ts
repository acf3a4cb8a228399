import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Plan } from '../../graph/plan.ts'
import type { Log } from '../../graph/port.ts'
import type { AnyTopic, Format } from '../../graph/topic.ts'
import { schemaRegistry } from '../../runtime/driver/schema-registry.ts'
import { formatted } from '../../runtime/format/formatted-log.ts'
import type { Registry } from '../../runtime/format/registry.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { randomOf } from '../random.ts'
import type { Row } from './events.ts'
import { FORMATS, rowsIn } from './formatted-world.ts'
import { registryServer } from './registry-server.ts'
import type { RegistryServer } from './registry-server.ts'
import { diamond, turns, work } from './stages-graph.ts'
import { newHome, runStages, tapsOf } from './stages-world.ts'
import type { Home, Running } from './stages-world.ts'
import { drain } from './steps.ts'

let server: RegistryServer
let registry: Registry
beforeAll(async () => {
  server = await registryServer()
  registry = schemaRegistry({ url: server.url })
})
afterAll(() => server.close())

/** A plan with other formats for the topics of its graph. */
const inFormats = (plan: Plan, formatOf: (topic: AnyTopic) => Format): Plan => {
  const made = new Map(plan.topics.map((one) => [one.name, { ...one, format: formatOf(one) }]))
  const of = (one: AnyTopic): AnyTopic => made.get(one.name)!
  return {
    ...plan,
    topics: plan.topics.map(of),
    stages: plan.stages.map((stage) => ({
      ...stage,
      reads: stage.reads.map(of),
      writes: stage.writes.map((write) => ({ ...write, topic: of(write.topic) })),
    })),
  }
}

let runs = 0

const outcome = async (plan: Plan, home: Home, how: Running, seed: number, taps = 300): Promise<unknown> => {
  const prefix = `run${++runs}.`
  const between = (log: Log): Log => formatted(log, { topics: plan.topics, registry, prefix })
  await runStages(plan, home, tapsOf(seed).slice(0, taps), { ...how, between })
  const log = between(new MemoryLog(new VirtualClock(0), { store: home.store }))
  const rows: Record<string, readonly Row[]> = {}
  for (const { topic: one, partition } of await log.ends()) {
    const found = rowsIn(plan.topics, await drain(await log.read([{ topic: one, partition, offset: 0 }])))
    rows[`${one}/${partition}`] = found.map(({ _order, ...event }) => (void _order, event))
  }
  return rows
}

describe('a graph whose topics have formats', () => {
  const plans = [
    ['three stages', work.three],
    ['two topics of one stage', turns],
    ['topics of two stages', diamond],
  ] as const
  test.each(plans.flatMap(([title, plan]) => [1, 2, 3].map((seed) => [title, seed, plan] as const)))(
    'makes the rows that it makes of batches, with and without deaths: %s (seed %i)',
    async (_, seed, plan) => {
      const draw = randomOf(seed)
      const deaths = Array.from({ length: 1 + draw(4) }, () => draw(300))
      const own = inFormats(plan, ({ name: one }) =>
        one.startsWith('kt.') ? 'arrow' : FORMATS[1 + draw(2)]!,
      )
      expect(own.topics.some(({ format }) => format !== 'arrow')).toBe(true)
      const expected = await outcome(plan, newHome(), {}, seed)
      expect(await outcome(own, newHome(), { deaths, turns: (below) => draw(below) }, seed)).toEqual(expected)
    },
  )

  test('goes on in another format where it was changed, and reads both', async () => {
    const json = inFormats(work.three, ({ name: one }) => (one.startsWith('kt.') ? 'arrow' : 'json'))
    const [home, other] = [newHome(), newHome()]
    await outcome(json, home, {}, 9, 130)
    await outcome(work.three, other, {}, 9, 130)
    const expected = await outcome(work.three, other, {}, 9)
    expect(await outcome(work.three, home, { deaths: [170] }, 9)).toEqual(expected)
    const written = new Set(home.store.steps.flat().map((one) => one.schema))
    expect(['sum/1', 'sum/1+json', 'total/1', 'total/1+json'].filter((one) => !written.has(one))).toEqual([])
  })
})
