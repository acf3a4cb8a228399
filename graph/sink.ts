import type { AnySchema } from './schema.ts'

/** Where events leave the graph. It reads a topic, so it can be exact, late, replayed and rebuilt. */
export interface Sink<E> extends AnySink {
  readonly stores?: (event: E) => E
}

export interface AnySink {
  /** `clickhouse.trade`: the engine and what it stores. */
  readonly name: string
  readonly engine: 'clickhouse' | 'lake'
  readonly schema: AnySchema
  /** The columns a table or file is sorted by. */
  readonly orderBy: readonly string[]
}
