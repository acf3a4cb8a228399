import { HostError, KtError } from '../../graph/error.ts'
import type { LogReader, ReadFrom } from '../../graph/port.ts'
import { endsOf } from '../ends.ts'
import type { Ends } from '../ends.ts'
import { registered } from '../registration.ts'
import { Lane } from './lane.ts'
import type { Limits } from './lane.ts'
import type { ClickhouseRun, TableState, TableStatus } from './load.ts'
import { ready } from './migrate.ts'
import type { ClickhouseSink } from './sink.ts'
import type { Stop } from './stop.ts'

const LIMITS: Limits = { rowsMax: 200_000, bytesMax: 16 << 20, lingerMs: 1000 }
const READ_BYTES = 4 << 20
/** Bytes of a table's records that wait in memory, beyond which reading waits for inserts. */
const BUFFER_BYTES = 48 << 20
const READ_WAIT_MS = 250
const BUSY_WAIT_MS = 20
const FIRST_RETRY_MS = 200
const LAST_RETRY_MS = 10_000
const FAILED_RETRY_MS = 30_000
const ENDS_US = 250_000
const HOLD_US = 1_000_000

/** One table being loaded. */
export class Loader {
  readonly #run: ClickhouseRun
  readonly #stop: Stop
  readonly #sink: ClickhouseSink
  readonly #topic: string
  readonly #partitions: number
  readonly #limits: Limits
  #lanes: readonly Lane[] = []
  #state: TableState = 'waiting'
  #error: KtError | undefined
  #ends: Ends = new Map()
  #endsAt = 0
  #heldAt = 0
  #failures = 0

  constructor(run: ClickhouseRun, stop: Stop, sink: ClickhouseSink, topic: string, partitions: number) {
    this.#run = run
    this.#stop = stop
    this.#sink = sink
    this.#topic = topic
    this.#partitions = partitions
    this.#limits = { ...LIMITS, ...run.limits }
  }

  status(): TableStatus {
    const partitions = Array.from({ length: this.#partitions }, (_, partition) => {
      const lane = this.#lanes[partition]
      const next = lane?.next ?? 0
      const end = this.#ends.get(partition)?.next ?? 0
      return { partition, next, lagRecords: Math.max(0, end - next), loadedRows: lane?.loaded ?? 0 }
    })
    return { sink: this.#sink.name, topic: this.#topic, state: this.#state, error: this.#error, partitions }
  }

  async run(): Promise<void> {
    while (!this.#stop.asked) {
      try {
        await this.#session()
      } catch (thrown) {
        const waitMs = this.#failed(thrown)
        // How far behind it is grows while nobody answers.
        await this.#readEnds().catch(() => undefined)
        await this.#stop.sleep(waitMs)
      }
    }
  }

  /** Note a failure; returns how long to wait, milliseconds. */
  #failed(thrown: unknown): number {
    const error = named(this.#sink.name, thrown)
    const retry = error instanceof HostError ? error.retry : 'never'
    if (retry === 'never') {
      this.#change('failed', error)
      return FAILED_RETRY_MS
    }
    this.#change('waiting', error)
    const afterMs = retry === 'now' ? FIRST_RETRY_MS : retry.afterMs
    return Math.min(LAST_RETRY_MS, afterMs * 2 ** this.#failures++)
  }

  #change(state: TableState, error?: KtError): void {
    const same = state === this.#state && error?.message === this.#error?.message
    this.#state = state
    this.#error = error
    if (!same) this.#run.report?.({ sink: this.#sink.name, state, error })
  }

  async #session(): Promise<void> {
    const { tables, objects, clock, log } = this.#run
    const from = await this.#register()
    const uuid = await ready(tables, this.#sink)
    const around = { tables, objects, clock, limits: this.#limits }
    const lanes = Array.from(
      { length: this.#partitions },
      (_, partition) => new Lane(around, this.#sink, uuid, this.#topic, partition),
    )
    for (const lane of lanes) {
      const end = async () => (await this.#readEnds()).get(lane.partition) ?? { first: 0, next: 0 }
      await lane.begin(end, from[lane.partition])
    }
    this.#lanes = lanes
    const reader = await log.read(this.#positions())
    const flights = new Set<Promise<void>>()
    try {
      await this.#pump(reader, flights)
    } finally {
      await Promise.allSettled(flights)
      await reader.close()
    }
  }

  /** Read and insert until stopped, or until the first insert that fails. */
  async #pump(reader: LogReader, flights: Set<Promise<void>>): Promise<void> {
    const failures: unknown[] = []
    while (!this.#stop.asked) {
      const full = this.#lanes.reduce((sum, lane) => sum + lane.bytes, 0) >= BUFFER_BYTES
      for (const lane of this.#lanes) {
        if (this.#mustWait(flights)) break
        const due = lane.dueIn()
        if (due === 0 || (full && due !== undefined)) this.#launch(lane, flights, failures)
      }
      if (failures.length > 0) throw failures[0]
      if (full && flights.size > 0) {
        await Promise.race(flights)
        continue
      }
      for (const record of await reader.read(READ_BYTES, this.#waitMs(flights)))
        this.#lanes[record.partition]?.add(record)
      const now = this.#run.clock.now()
      if (now - this.#endsAt >= ENDS_US) await this.#readEnds()
      if (now - this.#heldAt >= HOLD_US) await this.#hold()
      this.#change(this.#lanes.every(({ bytes }) => bytes === 0) ? 'idle' : 'loading')
    }
  }

  #launch(lane: Lane, flights: Set<Promise<void>>, failures: unknown[]): void {
    lane.busy = true
    const flight = lane
      .flush()
      .then(
        () => void (this.#failures = 0),
        (thrown: unknown) => void failures.push(thrown),
      )
      .finally(() => {
        lane.busy = false
        flights.delete(flight)
      })
    flights.add(flight)
  }

  /** A majority of replicas takes one insert into a table after the other. */
  #mustWait(flights: ReadonlySet<unknown>): boolean {
    return this.#run.tables.replication !== undefined && flights.size > 0
  }

  #waitMs(flights: ReadonlySet<unknown>): number {
    if (this.#mustWait(flights)) return BUSY_WAIT_MS
    const due = this.#lanes
      .map((lane) => lane.dueIn() ?? Infinity)
      .reduce((least, one) => Math.min(least, one), Infinity)
    return Math.ceil(Math.min(READ_WAIT_MS, due / 1000, flights.size > 0 ? BUSY_WAIT_MS : Infinity))
  }

  #positions(): readonly ReadFrom[] {
    return this.#lanes.map(({ topic, partition, next }) => ({ topic, partition, offset: next }))
  }

  async #hold(): Promise<void> {
    this.#heldAt = this.#run.clock.now()
    await this.#run.hold?.(this.#sink.name, this.#positions())
  }

  /** Before ClickHouse is there to ask. */
  #register(): Promise<readonly number[]> {
    const { objects, hold } = this.#run
    const of = { sink: this.#sink, partitions: this.#partitions }
    const ends = (): Promise<Ends> => this.#readEnds()
    return registered(objects, of, ends, async (from) => {
      const positions = from.map((offset, partition) => ({ topic: this.#topic, partition, offset }))
      await hold?.(this.#sink.name, positions)
    })
  }

  async #readEnds(): Promise<Ends> {
    this.#endsAt = this.#run.clock.now()
    this.#ends = await endsOf(this.#run.log, this.#topic)
    return this.#ends
  }
}

/** An error of a port as it is, any other as one that kt should have named. */
export const named = (where: string, thrown: unknown): KtError =>
  thrown instanceof KtError
    ? thrown
    : new KtError('KT6199', 'loading into clickhouse failed unexpectedly', {
        where,
        why: thrown instanceof Error ? thrown.message : String(thrown),
        fix: 'Report this with the log lines before it; rows wait in the log.',
        cause: thrown,
      })
