import type { KtError } from '../../graph/error.ts'
import type { Clock, Log, ObjectStore, ReadFrom } from '../../graph/port.ts'
import type { AnySink } from '../../graph/sink.ts'
import type { Limits } from './lane.ts'
import { Loader, named } from './loader.ts'
import type { ClickhouseSink } from './sink.ts'
import { Stop } from './stop.ts'
import type { Tables } from './tables.ts'
import { createViews } from './views.ts'

/** What loads the topics of a graph into ClickHouse, and from where. */
export interface ClickhouseRun {
  readonly log: Pick<Log, 'read' | 'ends'>
  readonly tables: Tables
  /** Keeps what was about to be inserted, under `positions/clickhouse/`. */
  readonly objects: ObjectStore
  readonly clock: Clock
  /** Sinks of other engines are left alone. */
  readonly sinks: readonly { readonly topic: string; readonly partitions: number; readonly sink: AnySink }[]
  readonly report?: (change: TableChange) => void
  /**
   * Told how far a sink is: the log must keep what follows. A sink that never ran holds its topic from the
   * beginning.
   */
  readonly hold?: (reader: string, positions: readonly ReadFrom[]) => Promise<void>
  readonly limits?: Partial<Limits>
  /** The text of `sql/clickhouse/views.sql`: its views are created as soon as ClickHouse is there. */
  readonly views?: string
}

/**
 * `waiting`: ClickHouse does not answer, or refuses for now. `failed`: a person has to act; it is tried again
 * every 30 s.
 */
export type TableState = 'waiting' | 'loading' | 'idle' | 'failed'

export interface TableChange {
  readonly sink: string
  readonly state: TableState
  readonly error: KtError | undefined
}

export interface TableStatus extends TableChange {
  readonly topic: string
  readonly partitions: readonly {
    readonly partition: number
    /** All records before it are in the table. */
    readonly next: number
    /** Records of the log that are not. */
    readonly lagRecords: number
    /** Rows inserted since the last start or failure. */
    readonly loadedRows: number
  }[]
}

export interface Loading {
  readonly status: () => readonly TableStatus[]
  /** Tables that wait after a failure try again now, for somebody waits for them. */
  readonly again: () => void
  /** Let inserts under way end, and stop; the rest is loaded by the next run. */
  readonly stop: () => Promise<void>
}

const FIRST_RETRY_MS = 200
const LAST_RETRY_MS = 10_000

/**
 * Load topics into their tables, exactly once, until stopped. Tables load side by side, one insert at a time
 * for each partition. After any failure a table begins again from what ClickHouse and the claims say: there
 * is no other way in.
 */
export const runClickhouse = (run: ClickhouseRun): Loading => {
  const wanted = run.sinks.flatMap(({ sink, ...topic }) => (stores(sink) ? [{ ...topic, sink }] : []))
  const stop = new Stop(run.clock)
  const loaders = wanted.map(({ sink, topic, partitions }) => new Loader(run, stop, sink, topic, partitions))
  const views = prepare(
    run,
    stop,
    wanted.map(({ sink }) => sink),
  )
  const done = Promise.all([views, ...loaders.map((loader) => loader.run())])
  return {
    status: () => loaders.map((loader) => loader.status()),
    again: () => stop.wake(),
    stop: async () => {
      stop.ask()
      await done
    },
  }
}

const stores = (sink: AnySink): sink is ClickhouseSink => sink.engine === 'clickhouse'

const prepare = async (run: ClickhouseRun, stop: Stop, own: readonly ClickhouseSink[]): Promise<void> => {
  for (
    let waitMs = FIRST_RETRY_MS;
    run.views !== undefined && !stop.asked;
    waitMs = Math.min(2 * waitMs, LAST_RETRY_MS)
  ) {
    try {
      return await createViews(run.tables, own, run.views)
    } catch (thrown) {
      const error = named('views', thrown)
      run.report?.({ sink: 'clickhouse.views', state: error.code === 'KT6101' ? 'waiting' : 'failed', error })
      await stop.sleep(waitMs)
    }
  }
}
