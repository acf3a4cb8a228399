import type { AnySchema, Column, Floats } from './schema.ts'

/**
 * The values of one row, as they travel from a message to the columns of a batch: flat, and used again for
 * the next row. `row` reads them, and is what an operator is given.
 */
export interface Cells {
  readonly schema: AnySchema
  /** An event of the schema, valid until the cells are filled again. `kept` makes a copy of it. */
  readonly row: object
  /** By place in the schema: numbers, the place of a choice, a flag as 0 or 1. NaN: there is none. */
  readonly numbers: Float64Array
  /** By place in the schema: names. */
  readonly names: (string | null)[]
  /** By place in the schema: texts. */
  readonly texts: readonly ByteText[]
  /** By place in the schema: lists. */
  readonly lists: readonly Doubles[]
}

/** A text of bytes, which becomes a string only where somebody reads it. */
class ByteText {
  bytes = new Uint8Array(32)
  /** -1: there is no text. */
  length = 0
  #text: string | undefined = ''

  /** Take bytes of UTF-8. */
  copy(from: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (length > this.bytes.length) this.bytes = new Uint8Array(length * 2)
    const { bytes } = this
    for (let i = 0; i < length; i++) bytes[i] = from[start + i]!
    this.length = length
    this.#text = undefined
  }

  set(text: string | null): void {
    this.#text = text ?? undefined
    if (text === null) this.length = -1
    else {
      if (text.length * 3 > this.bytes.length) this.bytes = new Uint8Array(text.length * 6)
      this.length = encoder.encodeInto(text, this.bytes).written
    }
  }

  get text(): string | null {
    if (this.length < 0) return null
    this.#text ??= decoder.decode(this.bytes.subarray(0, this.length))
    return this.#text
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A list of doubles that grows, and is used again. */
export class Doubles {
  values = new Float64Array(16)
  length = 0
  /** Views of the beginning of `values`, by their length, so that a list of a known length costs nothing. */
  #views: (Float64Array | undefined)[] = []

  room(length: number): void {
    if (length <= this.values.length) return
    const grown = new Float64Array(Math.max(length, this.values.length * 2))
    grown.set(this.values)
    this.values = grown
    this.#views = []
  }

  copy(from: Floats, start = 0, end = from.length): void {
    this.room(end - start)
    for (let i = start; i < end; i++) this.values[i - start] = from[i]!
    this.length = end - start
  }

  get view(): Float64Array {
    const { length } = this
    if (length > VIEWS_MAX) return this.values.subarray(0, length)
    return (this.#views[length] ??= new Float64Array(this.values.buffer, 0, length))
  }
}

const VIEWS_MAX = 2_000

const CELLS: unique symbol = Symbol('cells')

/** The cells that a row reads; undefined for a row that is a plain object. */
export const cellsOf = (row: object): Cells | undefined => (row as { readonly [CELLS]?: Cells })[CELLS]

/** Cells for the rows of a schema, and the row that reads them. */
const createCells = (schema: AnySchema): Cells => {
  // Each row has a prototype of its own: else the engine takes rows with different readers of the same names
  // for one kind of object, and makes all but the first slow.
  const row = Object.create({}) as object
  const cells: Cells = {
    schema,
    row,
    numbers: new Float64Array(schema.columns.length),
    names: schema.columns.map(() => null),
    texts: schema.columns.map(() => new ByteText()),
    lists: schema.columns.map(() => new Doubles()),
  }
  schema.columns.forEach((column, at) => {
    Object.defineProperty(row, column.name, { enumerable: true, get: getter(cells, column, at) })
  })
  Object.defineProperty(row, CELLS, { value: cells })
  return cells
}

const shared = new WeakMap<AnySchema, Cells>()

/**
 * The cells that all sources of one process fill with rows of a schema: a row is through all operators before
 * the next one is read, so that there is never need of two.
 */
export const sharedCells = (schema: AnySchema): Cells => {
  const known = shared.get(schema)
  if (known !== undefined) return known
  const made = createCells(schema)
  shared.set(schema, made)
  return made
}

const getter = (cells: Cells, column: Column, at: number): (() => unknown) => {
  const { numbers, names } = cells
  switch (column.kind) {
    case 'name':
      return () => names[at]
    case 'text': {
      const text = cells.texts[at]!
      return () => text.text
    }
    case 'floats': {
      const list = cells.lists[at]!
      return () => list.view
    }
    case 'choice': {
      const { values } = column
      return () => values[numbers[at]!] ?? null
    }
    case 'flag':
      return column.nullable
        ? () => (Number.isNaN(numbers[at]) ? null : numbers[at] === 1)
        : () => numbers[at] === 1
    default:
      return column.nullable ? () => (Number.isNaN(numbers[at]) ? null : numbers[at]) : () => numbers[at]
  }
}

/** Fill cells from a row that fits their schema. */
export const fillCells = (cells: Cells, row: Readonly<Record<string, unknown>>): void => {
  cells.schema.columns.forEach(({ kind, name, values }, at) => {
    const value = row[name]
    if (kind === 'floats') cells.lists[at]!.copy(value as Floats)
    else if (kind === 'name') cells.names[at] = value as string | null
    else if (kind === 'text') cells.texts[at]!.set(value as string | null)
    else if (value === null) cells.numbers[at] = NaN
    else if (kind === 'choice') cells.numbers[at] = values.indexOf(value as string)
    else cells.numbers[at] = Number(value)
  })
}

/** A row to keep: a plain object with lists of its own, whatever becomes of the cells. */
export const kept = <E extends object>(row: E): E => {
  const copy: Record<string, unknown> = { ...(row as Readonly<Record<string, unknown>>) }
  for (const [name, value] of Object.entries(copy)) {
    if (value instanceof Float64Array) copy[name] = value.slice()
  }
  return copy as E
}
