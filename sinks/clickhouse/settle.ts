import { HostError, KtError } from '../../graph/error.ts'
import type { Clock, Placed } from '../../graph/port.ts'
import type { ClickhouseSink } from './sink.ts'
import { literal } from './table.ts'
import { PLACES, PRESENT, RUNNING } from './tables.ts'
import type { Row, Tables } from './tables.ts'

/** A whole record, on its way into its table. */
export interface Parted extends Placed {
  /**
   * The part of the table that its rows go to: a day or a month. An insert into one part is whole or not at
   * all. Where a record has rows of several, its part is named by the first and the last.
   */
  readonly part: string
  /** The table would drop its rows at once: they count as loaded. */
  readonly expired: boolean
}

/** The records of one claim. */
export interface Load {
  readonly sink: ClickhouseSink
  /** Contiguous, of one topic partition, at least one. */
  readonly records: readonly Parted[]
  /** It may have been inserted before, by us or by another: look first. */
  readonly doubt: boolean
}

/**
 * Polls between two looks at the inserts that are still running, and how many until they are killed, or given
 * up on.
 */
const POLL_MS = 100
const POLLS_BEFORE_KILL = 20
const POLLS = 300
const ATTEMPTS = 5

/**
 * Insert the rows of a claim that are not in the table, and return how many were: those of each part by an
 * insert of their own, one after the other. What goes into which follows from the claim and its records
 * alone. Rejects after an insert whose outcome is not known, and is then called again with `doubt`.
 */
export const settle = async (tables: Tables, clock: Clock, load: Load): Promise<number> => {
  let inserted = 0
  for (const [part, its] of partsOf(load)) {
    const records = its.filter(({ rows, expired }) => rows > 0 && !expired)
    if (records.length > 0) inserted += await settlePart(tables, clock, load, part, records)
  }
  return inserted
}

/**
 * In doubt, the first insert goes under a token that the claim and the part name, so that of two that are
 * under way ClickHouse keeps one. A token that swallows rows which are not there (ClickHouse notes a token
 * before its part is in place, and may die between) is found by looking again, and the next attempt has a
 * token of its own. Rows are only ever added, so what an attempt lacks holds all that a later one lacks:
 * whichever of them ClickHouse keeps, the part is complete.
 */
const settlePart = async (
  tables: Tables,
  clock: Clock,
  load: Load,
  part: string,
  records: readonly Placed[],
): Promise<number> => {
  const { sink, doubt } = load
  const all = records.reduce((sum, { rows }) => sum + rows, 0)
  const token = `${rangeOf(load)}/${part}`
  let inserted = 0
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (doubt) await quiet(tables, clock, load)
    const missing = doubt ? await missingOf(tables, load, records) : undefined
    if (missing?.length === 0) return inserted
    const whole = missing === undefined || missing.length === all
    const rows = { schema: sink.schema, records, ...(whole ? {} : { chosen: missing }) }
    const label = { token: attempt === 1 ? token : `${token}#${attempt}`, comment: `${token}/${attempt}` }
    await tables.insert(sink.table, rows, label)
    inserted = whole ? all : missing.length
    if (!doubt) return inserted
  }
  throw new HostError('KT6105', `rows inserted into "${sink.table}" do not stay there`, {
    where: token,
    why: `ClickHouse took them ${ATTEMPTS} times, and they are not in the table.`,
    fix: 'Look for a DELETE, a TTL or a full disk: run kt doctor.',
    retry: { afterMs: 10_000 },
  })
}

const lane = ({ sink, records }: Load): string =>
  `${sink.name}/${records[0]!.topic}/${records[0]!.partition}/`

/** The claim's last record comes last: where it is in the table, all of the claim is. */
const partsOf = ({ records }: Load): readonly (readonly [string, readonly Parted[]])[] =>
  [...Map.groupBy(records, ({ part }) => part)].sort(([, a], [, b]) => a.at(-1)!.offset - b.at(-1)!.offset)

const rangeOf = (load: Load): string =>
  `${lane(load)}${load.records[0]!.offset}-${load.records.at(-1)!.offset}`

const pause = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.after(ms, resolve))

/** Wait until no insert into this partition is running, whoever sent it; what runs too long is killed. */
const quiet = async (tables: Tables, clock: Clock, load: Load): Promise<void> => {
  const comment = lane(load)
  for (let poll = 0; poll < POLLS; poll++) {
    const [row] = await tables.query(RUNNING, { comment })
    if (Number(row?.['running'] ?? 0) === 0) return
    if (poll % POLLS_BEFORE_KILL === POLLS_BEFORE_KILL - 1) {
      await tables.exec(`KILL QUERY WHERE startsWith(Settings['log_comment'], ${literal(comment)}) ASYNC`)
    }
    await pause(clock, POLL_MS)
  }
  throw new HostError('KT6106', 'an insert of which the outcome is not known does not end', {
    where: comment,
    fix: 'Look at system.processes: when the query is gone, loading goes on by itself.',
    retry: { afterMs: 1000 },
  })
}

/** The rows of some records of a claim that the table lacks, by their place in these. */
const missingOf = async (
  tables: Tables,
  load: Load,
  records: readonly Placed[],
): Promise<readonly number[]> => {
  const { topic, partition: part } = records[0]!
  const { table } = load.sink
  const range = { table, topic, part, first: load.records[0]!.offset, last: load.records.at(-1)!.offset }
  const found = new Map((await tables.query(PRESENT, range)).map((row) => [Number(row['_off']), row]))
  const missing: number[] = []
  let begin = 0
  for (const record of records) {
    const there = found.get(record.offset)
    if (there !== undefined) check(record, there, table)
    if (there === undefined || Number(there['rows']) < record.rows) {
      const asked = { table, topic, part, offset: record.offset }
      const places = there === undefined ? [] : await tables.query(PLACES, asked)
      const has = new Set(places.map((row) => Number(row['_row'])))
      for (let row = 0; row < record.rows; row++) if (!has.has(row)) missing.push(begin + row)
    }
    begin += record.rows
  }
  const known = new Set(load.records.map((record) => record.offset))
  const stranger = [...found.keys()].find((offset) => !known.has(offset))
  if (stranger !== undefined) throw otherLog(table, `${topic}/${part} at ${stranger}`)
  return missing
}

const check = (record: Placed, there: Row, table: string): void => {
  const is = (name: string, value: number): boolean => Number(there[name]) === value
  const where = `${record.topic}/${record.partition} at ${record.offset}`
  const same = is('low_step', record.step) && is('high_step', record.step)
  if (!same || !is('low_epoch', record.epoch) || !is('high_epoch', record.epoch)) throw otherLog(table, where)
  if (Number(there['rows']) <= record.rows && is('places', Number(there['rows']))) return
  throw new KtError('KT6107', `table "${table}" holds rows twice`, {
    where,
    why: `The record has ${record.rows} rows, and the table ${there['rows']} of it.`,
    fix: 'Something other than kt wrote to it. Run kt verify dupes for the extent, then rebuild the table.',
  })
}

/** The table was loaded from another log than the one that is here. */
export const otherLog = (table: string, where: string): KtError =>
  new KtError('KT6104', `table "${table}" holds rows of another log`, {
    where,
    why: 'The log was deleted or replaced, and the table was not; or two graphs write to one database.',
    fix: 'Move the table away with RENAME TABLE, or give this graph a database of its own.',
  })
