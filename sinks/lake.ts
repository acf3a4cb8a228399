import { GraphError } from '../graph/error.ts'
import type { Schema } from '../graph/schema.ts'
import type { AnySink, Sink } from '../graph/sink.ts'

/**
 * How rows become files. Small files are quick to be seen and slow to be read; compaction joins them later.
 */
export interface LakeOptions<E> {
  /**
   * The columns that compacted files are sorted by. Default: those of `instrument` or `pair`, and `time`,
   * that the event has.
   */
  readonly orderBy?: readonly (keyof E & string)[]
  /** Rows are seen at most this long after they were logged. Default 60 s. */
  readonly rollMs?: number
  /** Default 1,000,000. */
  readonly rowsMax?: number
  /** Bytes of the log in one file. Default 64 MiB. */
  readonly bytesMax?: number
}

/** A lake sink with all its options decided. */
export interface AnyLakeSink extends AnySink {
  readonly engine: 'lake'
  readonly rollMs: number
  readonly rowsMax: number
  readonly bytesMax: number
}

export type LakeSink<E> = AnyLakeSink & Sink<E>

/**
 * Store events as Parquet files in a Delta table: a folder of the lake, named as the event is, parted by
 * date.
 */
export const lake = <E>(schema: Schema<E>, options: LakeOptions<E> = {}): LakeSink<E> => {
  const { rollMs = 60_000, rowsMax = 1_000_000, bytesMax = 64 * 2 ** 20 } = options
  for (const [name, value] of Object.entries({ rollMs, rowsMax, bytesMax })) {
    if (Number.isSafeInteger(value) && value > 0) continue
    throw new GraphError(
      'KT1601',
      `option "${name}" of lake(${schema.name}) is a whole number above zero, not ${value}`,
      {
        fix: `Leave "${name}" out for its default.`,
      },
    )
  }
  const has = new Set(schema.columns.map((column) => column.name))
  const orderBy = options.orderBy ?? ['pair', 'instrument', 'time'].filter((column) => has.has(column))
  return Object.freeze({
    name: `lake.${schema.name}`,
    engine: 'lake',
    schema,
    orderBy: Object.freeze([...orderBy]),
    rollMs,
    rowsMax,
    bytesMax,
  })
}
