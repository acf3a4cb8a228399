import type { Described } from '../graph/describe.ts'
import { GraphError } from '../graph/error.ts'
import { evolution } from '../graph/evolution.ts'
import type { Evolved } from '../graph/evolution.ts'
import type { Plan } from '../graph/plan.ts'
import { schemaId } from '../graph/schema.ts'
import { migration } from '../sinks/clickhouse/migrate.ts'
import type { ClickhouseSink } from '../sinks/clickhouse/sink.ts'

/** A topic whose event has another version than the run before wrote. */
export interface Evolution {
  readonly topic: string
  /** `trade/1`, `trade/2`. */
  readonly from: string
  readonly to: string
  readonly columns: readonly Evolved[]
  /** What its ClickHouse tables are changed by when the graph is run; the lake and topics need nothing. */
  readonly migration: readonly string[]
}

/**
 * The topics whose events have changed since the run before. Throws KT1025 when what that wrote could not be
 * read any more, and KT1026 when a table is sorted by a column that would change its type.
 */
export const evolutions = (before: Described | undefined, { topics, sinks }: Plan): readonly Evolution[] =>
  topics.flatMap((topic): readonly Evolution[] => {
    const old = before?.schemas?.[topic.name]
    if (old === undefined) return []
    const columns = evolution(topic.name, old, topic.schema)
    if (columns.length === 0) return []
    const tables = sinks.flatMap(({ sink, topic: from }) =>
      from.name === topic.name && sink.engine === 'clickhouse' ? [sink as ClickhouseSink] : [],
    )
    for (const table of tables) checkSorted(table, columns)
    const [from, to] = [`${old.name}/${old.version}`, schemaId(topic.schema)]
    return [
      {
        topic: topic.name,
        from,
        to,
        columns,
        migration: tables.flatMap((one) => migration(one, old.version)),
      },
    ]
  })

const checkSorted = ({ table, orderBy, clock }: ClickhouseSink, columns: readonly Evolved[]): void => {
  const sorted = columns.find(
    ({ what, column }) => what === 'widened' && [...orderBy, clock].includes(column),
  )
  if (sorted === undefined) return
  throw new GraphError('KT1026', `table "${table}" is sorted by "${sorted.column}", which changes its type`, {
    why: 'ClickHouse cannot change the type of a column that its rows are sorted or parted by.',
    fix: 'Add an optional column beside it, or give the sink a table of its own, and fill that by kt replay.',
  })
}

/** Lines for people. */
export const evolutionText = ({ topic, from, to, columns, migration: statements }: Evolution): string =>
  [
    `~ schema    ${topic}: ${from} -> ${to}, online; records of ${from} are read beside the others`,
    ...columns.map(
      ({ column, what, how }) => `            ${what === 'added' ? '+' : '~'} ${column}: ${how}`,
    ),
    ...statements.map((sql) => `            ${sql}`),
  ].join('\n')
