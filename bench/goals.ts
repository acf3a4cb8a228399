/**
 * A number to hold: the factor by which kt is to be better than its peer, and what measures it.
 */
export interface Goal {
  readonly name: string
  readonly title: string
  /** The factor where a line does not state its own; 0: told, not judged. */
  readonly least: number
  /**
   * Its one exported async function is `(quick) => Promise<readonly Result[]>`; undefined: `later` says
   * why.
   */
  readonly file?: string
  readonly later?: string
}

/**
 * Every goal, in order. To add one: a file in `bench/goal/` whose one async function returns `Result`s, and a
 * line here. It runs in a process of its own.
 */
export const goals: readonly Goal[] = [
  { name: 'G1', title: 'bytes to normalized columns', least: 15, file: 'columns.ts' },
  { name: 'G2', title: 'bytes to objects', least: 4, file: 'objects.ts' },
  { name: 'G3', title: 'compiled mapping from bytes', least: 200, file: 'mapping.ts' },
  { name: 'G4', title: 'book and best bid and ask', least: 15, file: 'book.ts' },
  { name: 'G5', title: 'WebSocket receive', least: 5, file: 'receive.ts' },
  { name: 'G6', title: 'socket to book to columns', least: 12, file: 'socket.ts' },
  { name: 'G7', title: 'socket to Kafka', least: 10, file: 'kafka.ts' },
  { name: 'G8', title: 'service time and garbage', least: 10, file: 'service.ts' },
  { name: 'G9', title: 'log', least: 1.2, file: 'log.ts' },
  { name: 'G10', title: 'Arrow batches', least: 20, file: 'arrow.ts' },
  { name: 'G11', title: 'Parquet', least: 4, file: 'parquet.ts' },
  { name: 'G12', title: 'ClickHouse load', least: 8, file: 'clickhouse.ts' },
  {
    name: 'G13',
    title: 'parse, book, best bid and ask, beside other languages',
    least: 1,
    file: 'native.ts',
  },
  { name: 'edge', title: 'real use at its edges', least: 0, file: 'edge.ts' },
]
