import type { On, Operator } from '../graph/operator.ts'

/** A row that an operator made, with the name of its schema. */
export interface Made {
  readonly schema: string
  readonly row: Readonly<Record<string, unknown>>
}

export interface Driven {
  /** Give it one row of an input, and get what it emits. */
  readonly feed: (input: string, row: object) => readonly Made[]
  /** The rows of one schema that came out of a call of `feed` for each of these rows. */
  readonly all: <E>(output: string, input: string, rows: readonly object[]) => readonly E[]
  /** Die, and come back from the checkpoint, through the bytes that a checkpoint has. */
  readonly restart: () => void
  /** How many bytes the checkpoint is. */
  readonly bytes: () => number
}

/**
 * Feed one key of an operator by hand. A row is lent to it as the runtime lends it: once `on` has returned,
 * everything in the row is wrong, so an operator that kept a part of it shows.
 */
export const drive = <In, Out, Under extends string>(
  operator: Operator<In, Out, Under>,
  key = '',
): Driven => {
  const on = operator.on as Readonly<Record<string, On>>
  const names = [...operator.outputs, ...operator.reports].map((schema) => schema.name)
  let state = operator.state.create(key)
  let made: Made[] = []
  const emit = Object.fromEntries(
    names.map((schema) => [schema, (out: object) => made.push({ schema, row: copyOf(out) })]),
  )
  const feed = (input: string, row: object): readonly Made[] => {
    made = []
    const lent = copyOf(row)
    on[input]!(state, lent as never, emit as never)
    spoil(lent)
    return made
  }
  return {
    feed,
    all: <E>(output: string, input: string, rows: readonly object[]) =>
      rows.flatMap((row) =>
        feed(input, row)
          .filter(({ schema }) => schema === output)
          .map((made) => made.row as E),
      ),
    restart: () =>
      void (state = operator.state.load(JSON.parse(JSON.stringify(operator.state.save(state))), key)),
    bytes: () => JSON.stringify(operator.state.save(state)).length,
  }
}

const copyOf = (row: object): Record<string, unknown> => {
  const copy: Record<string, unknown> = { ...row }
  for (const name in copy) if (Array.isArray(copy[name])) copy[name] = [...(copy[name] as readonly unknown[])]
  return copy
}

const spoil = (row: Record<string, unknown>): void => {
  for (const name in row) {
    const value = row[name]
    if (Array.isArray(value)) value.fill(NaN)
    row[name] = typeof value === 'number' ? NaN : 'spoilt'
  }
}
