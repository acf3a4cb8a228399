import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'vitest'
import { rowsOf } from '../../graph/batch.ts'
import { Columns } from '../../graph/columns.ts'
import type { Placed } from '../../graph/port.ts'
import { count, logged, micros, schema, schemaId } from '../../graph/schema.ts'
import type { Event } from '../../graph/schema.ts'
import { MemoryLog, MemoryStore } from '../../runtime/memory-log.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { joined } from '../../sinks/arrow.ts'
import { runClickhouse } from '../../sinks/clickhouse/load.ts'
import type { ClickhouseRun, Loading } from '../../sinks/clickhouse/load.ts'
import { loadedTo } from '../../sinks/clickhouse/position.ts'
import { clickhouse } from '../../sinks/clickhouse/sink.ts'
import { describedAs } from '../../sinks/clickhouse/table.ts'
import { FakeClickhouse, MemoryObjects } from './clickhouse-fake.ts'
import type { Dice } from './clickhouse-fake.ts'
import { diceOf } from '../random.ts'

interface Tick extends Event<'tick'> {
  readonly time: number
  readonly received: number
  readonly value: number
}
const tick = schema<Tick>('tick', 'a number', {
  time: micros('when'),
  received: micros('when'),
  value: count('which'),
})
const sink = clickhouse(tick)
const START = Date.UTC(2026, 0, 1, 23, 50) * 1000
const PARTITIONS = 2
const DAY_US = 86_400_000_000

/** A run of kt that can be killed, or put to sleep: then what it was about to do happens late. */
interface Mortal {
  readonly loading: Loading
  dead: boolean
  asleepUntil: number
  /** Called before each claim. */
  beforeClaim: () => Promise<void>
}

/**
 * A seeded world: a log being written, a ClickHouse that fails, and runs of the sink that die, sleep and
 * are twins.
 */
export class World {
  readonly clock = new VirtualClock(START)
  readonly random: Dice
  readonly objects = new MemoryObjects()
  readonly store = new MemoryStore()
  readonly log: MemoryLog
  readonly server: FakeClickhouse
  runs: Mortal[] = []
  value = 0
  /** Days come in turns, as they do over midnight. */
  #hopping = true

  constructor(seed: number) {
    this.random = diceOf(seed)
    this.log = new MemoryLog(this.clock, { store: this.store })
    this.server = new FakeClickhouse(this.clock, this.random, describedAs(tick))
  }

  /**
   * A step of a few rows in each partition; over the hours days change, for a while from record to record,
   * and now and then within one.
   */
  async write(steps: number): Promise<void> {
    const writer = await this.log.write('shard')
    for (let i = 0; i < steps; i++) {
      await this.elapse(200 * this.random())
      const records = Array.from({ length: PARTITIONS }, (_, partition) => ({
        topic: 'ticks',
        partition,
        ...this.batch(),
      }))
      await writer.append({
        shard: 'shard',
        step: (writer.last?.step ?? -1) + 1 + i,
        time: this.clock.now(),
        inputs: [],
        records,
      })
    }
    await writer.close()
  }

  batch() {
    const columns = new Columns(logged(tick))
    const now = this.clock.now()
    if (this.random() < 0.03) this.#hopping = !this.#hopping
    const hop = this.#hopping && this.random() < 0.5 ? DAY_US : 0
    const mixed = this.random() < 0.02
    for (let rows = Math.ceil(6 * this.random()); rows > 0; rows--) {
      const received = now + (mixed && this.random() < 0.5 ? DAY_US : hop)
      columns.add({ time: now, received, value: this.value++ })
    }
    return { schema: schemaId(tick), ...columns.take() }
  }

  begin(limits: ClickhouseRun['limits'] = { rowsMax: 40, lingerMs: 300 }): Mortal {
    const held =
      <A extends readonly unknown[], T>(call: (...args: A) => Promise<T>) =>
      async (...args: A): Promise<T> => {
        // The first call comes before the run has been handed out.
        await Promise.resolve()
        if (mortal.dead) return new Promise(() => {})
        if (this.clock.now() < mortal.asleepUntil) {
          await new Promise<void>(
            (resolve) => void this.clock.after((mortal.asleepUntil - this.clock.now()) / 1000, resolve),
          )
        }
        return call(...args)
      }
    const { tables } = this.server
    const { get, put, putIfAbsent, list, remove } = this.objects
    const claim: typeof putIfAbsent = async (path, bytes) => {
      await mortal.beforeClaim()
      return putIfAbsent(path, bytes)
    }
    const mortal: Mortal = {
      dead: false,
      asleepUntil: 0,
      beforeClaim: async () => {},
      loading: runClickhouse({
        log: this.log,
        clock: this.clock,
        tables: { exec: held(tables.exec), query: held(tables.query), insert: held(tables.insert) },
        objects: {
          get: held(get),
          put: held(put),
          putIfAbsent: held(claim),
          list: held(list),
          remove: held(remove),
        },
        sinks: [{ topic: 'ticks', partitions: PARTITIONS, sink }],
        limits: limits ?? {},
      }),
    }
    this.runs.push(mortal)
    return mortal
  }

  /** Let virtual time go by. */
  async elapse(ms: number): Promise<void> {
    const until = this.clock.now() + Math.ceil(ms * 1000)
    for (;;) {
      await turn()
      const due = this.clock.due
      if (due === undefined || due > until) break
      this.clock.advance(due)
    }
    this.clock.advance(until)
    await turn()
  }

  /** Until nothing lags; fails after an hour of virtual time. */
  async settled(): Promise<void> {
    for (let second = 0; second < 3600; second++) {
      await this.elapse(1000)
      const living = this.runs.filter(({ dead }) => !dead)
      const states = living.flatMap(({ loading }) => loading.status())
      expect(states.filter(({ state }) => state === 'failed').map(({ error }) => error?.message)).toEqual([])
      const still = states.every(
        ({ state, partitions }) => state === 'idle' && partitions.every(({ lagRecords }) => lagRecords === 0),
      )
      if (still) return
    }
    expect.fail('it did not catch up')
  }

  logRows(): readonly string[] {
    const records: readonly Placed[] = this.store.steps.flat()
    return records.flatMap((record) => rowsOf(joined(tick, [record]))).map((row) => JSON.stringify(row))
  }

  expectExact(): void {
    const sorted = (rows: readonly string[]): readonly string[] => [...rows].sort()
    expect(sorted(this.server.rows.map((row) => JSON.stringify(row)))).toEqual(sorted(this.logRows()))
  }

  /** What the sink is said to have loaded, to whoever asks while nobody loads, is there. */
  async expectLoadedTo(): Promise<void> {
    const asked = loadedTo(this.server.tables, this.objects, sink, 'ticks', PARTITIONS)
    await this.elapse(1000)
    const nexts = await asked
    const there = new Set(this.server.rows.map((row) => JSON.stringify(row)))
    const said = this.logRows().filter((text) => {
      const row = JSON.parse(text) as { readonly _part: number; readonly _off: number }
      return row._off < nexts[row._part]!
    })
    expect(said.filter((row) => !there.has(row))).toEqual([])
  }

  async end(): Promise<void> {
    for (const run of this.runs) {
      if (run.dead) continue
      let ended = false
      void run.loading.stop().then(() => (ended = true))
      while (!ended) await this.elapse(100)
    }
  }
}
