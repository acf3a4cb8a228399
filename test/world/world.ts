import { createHash } from 'node:crypto'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import type { Graph } from '../../graph/graph.ts'
import { plan } from '../../graph/plan.ts'
import type { Plan, Stage } from '../../graph/plan.ts'
import { logged } from '../../graph/schema.ts'
import type { OpenSource, SourceHost } from '../../graph/source.ts'
import basisGraph from '../../graph/basis.ts'
import tickerGraph from '../../graph/ticker-basis.ts'
import { systemTopics } from '../../market/topics.ts'
import { MemoryLog, MemoryStore } from '../../runtime/memory-log.ts'
import { Follower } from '../../runtime/follower.ts'
import { shardOf } from '../../runtime/producer.ts'
import { Renewal } from '../../runtime/renewal.ts'
import { Shard } from '../../runtime/shard.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { loadMapping } from '../../sources/driver/jsonata.ts'
import { Exchange } from '../../sources/sim/exchange.ts'
import { parseFaults } from '../../sources/sim/fault.ts'
import { parseTruth } from '../../sources/sim/truth.ts'
import type { Truth } from '../../sources/sim/truth.ts'
import { clickhouse } from '../../sinks/index.ts'
import { madeIn } from '../runtime/stages-world.ts'
import { memoryObjects, quietReport } from '../runtime/world.ts'
import { endpointOf, WorldNet } from './net.ts'
import { randomOf } from '../random.ts'
import type { Made } from './again.ts'
import stagesGraph from './stages.ts'

const planOf = (graph: Graph): Plan =>
  plan(graph, { topics: systemTopics, sink: (_, schema) => clickhouse(schema as never) })
const PLANS = { basis: planOf(basisGraph), 'ticker-basis': planOf(tickerGraph), stages: planOf(stagesGraph) }

/** A simulated world: what it is made of, and how cruel it is. */
export interface WorldOptions {
  readonly seed: number
  /** The graph file that runs in it; by default `basis`. */
  readonly graph?: keyof typeof PLANS
  readonly faults: string
  readonly pairs: number
  readonly rate: number
  readonly seconds: number
  /** When the process dies and is started again, in seconds from the beginning. */
  readonly deaths: readonly number[]
}

export type Row = Readonly<Record<string, unknown>>

/** What came of it. */
export interface Outcome {
  readonly truth: readonly Truth[]
  /** Rows of the first topic of every schema, in order. */
  readonly rows: Readonly<Record<string, readonly Row[]>>
  /** Rows of every topic partition, without their place: `candle/1`. */
  readonly parts: Readonly<Record<string, readonly Row[]>>
  /** What the sources' shard wrote, in the order in which it was made. */
  readonly made: readonly Made[]
  readonly plan: Plan
  /** What the log keeps. */
  readonly store: MemoryStore
  readonly deadLetters: number
  readonly faults: string
  /** Of the bytes of the log. */
  readonly digest: string
  readonly end: number
}

const START_MS = 1_760_000_000_000
const SLOT_MS = 10

/** Promises that are ready to go on do so; nothing else in the world is asynchronous. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 12; i++) await Promise.resolve()
}

interface Life {
  readonly clock: VirtualClock
  readonly log: MemoryLog
  readonly net: WorldNet
  readonly shard: Shard
  readonly followers: readonly Follower[]
  readonly sources: readonly OpenSource[]
}

/** Run a graph in a world of its own, in virtual time. */
export const runWorld = async (options: WorldOptions): Promise<Outcome> => {
  const planned = PLANS[options.graph ?? 'basis']
  const [stage, ...behind] = planned.stages as [Stage, ...Stage[]]
  const truth: Truth[] = []
  const exchange = new Exchange({
    seed: options.seed,
    startMs: START_MS,
    pairs: options.pairs,
    rate: options.rate,
    depth: 60,
    faults: parseFaults(options.faults),
    venues: ['binance.spot', 'binance.usdm', 'bybit.linear', 'bybit.spot'],
    truth: (line) => {
      const parsed = parseTruth(line)
      if (parsed !== undefined) truth.push(parsed)
    },
  })
  const store = new MemoryStore()
  const objects = memoryObjects()
  const letters: unknown[] = []
  const deaths = [...options.deaths]
  let failure: unknown
  const born = async (life: number, now: number): Promise<Life> => {
    const clock = new VirtualClock(now)
    const log = new MemoryLog(clock, { store, commitMs: 2 })
    const net = new WorldNet(exchange, clock, life)
    let sources: readonly OpenSource[] = []
    const renewal = new Renewal(clock, (instrument, why) =>
      sources.forEach((one) => one.renew(instrument, why)),
    )
    const report = {
      ...quietReport((error) => (failure ??= error)),
      row: (schema: string, row: object) => renewal.see(schema, row),
    }
    const both = { clock, log, objects, report, rowsMax: 1000, checkpointEveryMs: 2000, rebuild: false }
    const shard = new Shard({
      ...both,
      plan: stage,
      shard: shardOf(stage),
      deadLetters: { add: (letter) => void letters.push(letter) },
      lingerMs: undefined,
      tickMs: 250,
      pendingMaxBytes: 1 << 30,
    })
    const { first } = await shard.recover()
    const followers = behind.map(
      (one) => new Follower({ ...both, graph: planned, plan: one, shard: shardOf(one) }),
    )
    for (const follower of followers) await follower.recover()
    shard.system('control', {
      kind: 'start',
      source: '',
      channel: '',
      instrument: '',
      connection: 0,
      epoch: 0,
      why: first ? 'first start' : 'restart',
      time: now,
      received: now,
    })
    shard.start()
    const draw = randomOf(options.seed * 1000 + life)
    const host: SourceHost = {
      clock,
      random: { below: draw },
      net,
      mapping: loadMapping,
      frame: (frame) => shard.frame(frame),
      system: (schema, row) => shard.system(schema, row),
      note: () => {},
    }
    sources = [...new Set(stage.sources.map((want) => want.source))].map((source) =>
      source.open(host, {
        channels: stage.sources.filter((want) => want.source === source).map((want) => want.channel),
        universe: { quote: 'USDT' },
        endpoint: endpointOf(source.name),
        owns: () => true,
      }),
    )
    return { clock, log, net, shard, followers, sources }
  }
  // Nobody promises a stage when its turn comes.
  const turns = randomOf(options.seed * 31)
  let lives = 0
  let life = await born(lives, START_MS * 1000)
  const slots = (options.seconds * 1000) / SLOT_MS
  for (let slot = 1; slot <= slots; slot++) {
    const ms = START_MS + slot * SLOT_MS
    life.clock.advance(ms * 1000)
    life.net.deliver(exchange.advance(ms))
    await settle()
    for (const follower of life.followers) for (let turn = turns(3); turn > 0; turn--) await follower.pump(0)
    if (failure !== undefined) throw failure
    if (deaths[0] === undefined || slot * SLOT_MS < deaths[0] * 1000) continue
    deaths.shift()
    life.log.crash()
    life.net.die()
    for (const source of life.sources) source.close()
    await settle()
    life = await born(++lives, ms * 1000)
  }
  for (const source of life.sources) source.close()
  life.clock.advance(life.clock.now() + 100_000)
  life.shard.flush()
  for (let i = 0; i < 10; i++) {
    life.clock.advance(life.clock.now() + 10_000)
    await settle()
  }
  for (const follower of life.followers) {
    const stopping = follower.stop()
    for (let i = 0; i < 10; i++) {
      life.clock.advance(life.clock.now() + 10_000)
      await settle()
    }
    await stopping
  }
  return {
    truth,
    ...outcomeOf(store, planned),
    made: madeIn(planned, { store }).map(({ topic, row }) => ({
      topic: planned.topics.find((one) => one.name === topic)!,
      row: withoutOrder(row),
    })),
    plan: planned,
    store,
    deadLetters: letters.length,
    faults: options.faults,
    end: life.clock.now(),
  }
}

const outcomeOf = (store: MemoryStore, planned: Plan): Pick<Outcome, 'rows' | 'parts' | 'digest'> => {
  const schemas = new Map(planned.topics.map((topic) => [topic.name, topic.schema]))
  const firsts = new Map(planned.topics.toReversed().map((topic) => [topic.schema.name, topic.name]))
  const rows: Record<string, Row[]> = {}
  const parts: Record<string, Row[]> = {}
  const hash = createHash('sha256')
  for (const record of store.steps.flat()) {
    hash.update(record.topic).update(record.bytes)
    const schema = schemas.get(record.topic)!
    const found = rowsOf(readBatch(logged(schema), record.bytes))
    if (firsts.get(schema.name) === record.topic) (rows[schema.name] ??= []).push(...found)
    ;(parts[`${record.topic}/${record.partition}`] ??= []).push(...found.map(withoutOrder))
  }
  return { rows, parts, digest: hash.digest('hex') }
}

const withoutOrder = ({ _order, ...row }: Row): Row => {
  void _order
  return row
}

/** The world of a seed: one in four is calm, the others cruel; most see their process die once or twice. */
export const worldOf = (seed: number): WorldOptions => {
  const draw = randomOf(seed * 7919)
  const seconds = 15
  const deaths = Array.from({ length: draw(3) }, () => 2 + draw(seconds - 4)).toSorted((a, b) => a - b)
  return { seed, faults: draw(4) === 0 ? 'calm' : 'cruel', pairs: 3, rate: 300, seconds, deaths }
}
