import { KtError } from './error.ts'
import { LOOP_MAX } from './layout.ts'
import type { Layout } from './layout.ts'
import type { ByteText, Doubles } from './row.ts'
import type { Column, Floats } from './schema.ts'

/** One column being filled. */
export interface Filling {
  readonly column: Column
  /** Among the numbers of a row; -1 where the column is none. */
  readonly slot: number
  /** Its value is the row's place in its step, which no event has. */
  readonly ordered: boolean
  readonly read: (value: unknown, row: number) => void
  readonly lay: (layout: Layout) => void
  readonly clear: () => void
}

/**
 * All columns that are numbers: floats, times, counts, choices by their place, flags as 0 and 1. A row is as
 * wide as the schema, so that it is copied from cells as it is.
 */
export class Numbers {
  readonly #width: number
  readonly #ordered: boolean
  #capacity = 16
  #values: Float64Array

  constructor(columns: readonly Column[]) {
    this.#width = columns.length
    this.#ordered = columns.at(-1)?.name === '_order'
    this.#values = new Float64Array(this.#capacity * this.#width)
  }

  room(row: number): void {
    if (row < this.#capacity) return
    this.#capacity *= 2
    const grown = new Float64Array(this.#capacity * this.#width)
    grown.set(this.#values)
    this.#values = grown
  }

  copy(from: Float64Array, row: number, order: number): void {
    this.room(row)
    const values = this.#values
    const width = this.#width
    const base = row * width
    for (let i = 0; i < from.length; i++) values[base + i] = from[i]!
    if (this.#ordered) values[base + width - 1] = order
  }

  put(row: number, slot: number, value: number): void {
    this.#values[row * this.#width + slot] = value
  }

  filling(column: Column, place: number): Filling {
    return {
      column,
      slot: NUMBERS.has(column.kind) ? place : -1,
      ordered: column.name === '_order',
      read: () => {},
      lay: (layout) => layout.numbers(column, { values: this.#values, slot: place, stride: this.#width }),
      clear: () => {},
    }
  }
}

const NUMBERS: ReadonlySet<Column['kind']> = new Set(['float', 'count', 'micros', 'int', 'choice', 'flag'])

/** Names are few, so that each is encoded once and remembered. */
export class Names implements Filling {
  readonly values: (string | null)[] = []
  readonly place: number
  readonly slot = -1
  readonly ordered = false
  readonly column: Column
  readonly #known = new Map<string, Uint8Array>()

  constructor(column: Column, place: number) {
    this.column = column
    this.place = place
  }

  read(value: unknown, row: number): void {
    this.values[row] = textOf(this.column, value)
  }

  lay(layout: Layout): void {
    layout.names(this.column, this.values, this.#known)
  }

  /** The list keeps its length, and so its memory: what is beyond the rows is never read. */
  clear(): void {}
}

const encoder = new TextEncoder()

export class Texts implements Filling {
  readonly place: number
  readonly slot = -1
  readonly ordered = false
  readonly column: Column
  /** Where each row ends, after a zero; and which rows have a text. */
  #ends = new Int32Array(17)
  #present = new Uint8Array(16)
  #bytes = new Uint8Array(256)
  #used = 0

  constructor(column: Column, place: number) {
    this.column = column
    this.place = place
  }

  copy({ bytes, length }: ByteText, row: number): void {
    this.#room(row, length)
    const to = this.#bytes
    const used = this.#used
    for (let i = 0; i < length; i++) to[used + i] = bytes[i]!
    this.#end(row, length)
  }

  read(value: unknown, row: number): void {
    const text = textOf(this.column, value)
    this.#room(row, (text ?? '').length * 3)
    this.#end(row, text === null ? -1 : encoder.encodeInto(text, this.#bytes.subarray(this.#used)).written)
  }

  lay(layout: Layout): void {
    layout.texts(this.column, this.#ends, this.#bytes, this.#used, this.#present)
  }

  clear(): void {
    this.#used = 0
  }

  #end(row: number, length: number): void {
    this.#present[row] = length < 0 ? 0 : 1
    if (length > 0) this.#used += length
    this.#ends[row + 1] = this.#used
  }

  #room(row: number, more: number): void {
    if (row === this.#present.length) {
      this.#ends = grown(this.#ends, new Int32Array(row * 2 + 1))
      this.#present = grown(this.#present, new Uint8Array(row * 2))
    }
    if (this.#used + more <= this.#bytes.length) return
    this.#bytes = grown(this.#bytes, new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + more)))
  }
}

export class Lists implements Filling {
  readonly place: number
  readonly slot = -1
  readonly ordered = false
  readonly column: Column
  #ends = new Int32Array(17)
  #values = new Float64Array(64)
  #used = 0

  constructor(column: Column, place: number) {
    this.column = column
    this.place = place
  }

  copy(list: Doubles, row: number): void {
    this.#put(list.values, list.length, row)
  }

  read(value: unknown, row: number): void {
    const list = value as Floats
    this.#put(list, list.length, row)
  }

  lay(layout: Layout): void {
    layout.lists(this.#ends, this.#values, this.#used)
  }

  clear(): void {
    this.#used = 0
  }

  #put(list: Floats, length: number, row: number): void {
    if (row + 1 === this.#ends.length) this.#ends = grown(this.#ends, new Int32Array(row * 2 + 1))
    if (this.#used + length > this.#values.length) {
      const more = Math.max(this.#values.length * 2, this.#used + length)
      this.#values = grown(this.#values, new Float64Array(more))
    }
    const to = this.#values
    const used = this.#used
    if (length > LOOP_MAX)
      to.set(list.length === length ? list : (list as Float64Array).subarray(0, length), used)
    else for (let i = 0; i < length; i++) to[used + i] = list[i]!
    this.#used += length
    this.#ends[row + 1] = this.#used
  }
}

const grown = <T extends Uint8Array | Int32Array | Float64Array>(from: T, to: T): T => {
  to.set(from)
  return to
}

export const numberOf = (column: Column, value: unknown): number => {
  if (value === null && column.nullable) return NaN
  switch (column.kind) {
    case 'choice': {
      const code = column.values.indexOf(value as string)
      return code < 0 ? refuse(column, column.values.join(', '), value) : code
    }
    case 'flag':
      return typeof value === 'boolean' ? Number(value) : refuse(column, 'true or false', value)
    case 'float':
    case 'int':
      return typeof value === 'number' ? value : refuse(column, 'numbers', value)
    default:
      return Number.isSafeInteger(value)
        ? (value as number)
        : refuse(column, 'whole numbers up to 2^53', value)
  }
}

export const textOf = (column: Column, value: unknown): string | null => {
  if (typeof value === 'string' || (value === null && column.nullable)) return value as string | null
  return refuse(column, 'texts', value)
}

export const refuse = ({ name }: Column, holds: string, value: unknown): never => {
  const what = `column "${name}" holds ${holds}, not ${String(value)}`
  throw new KtError('KT9000', `an invariant of kt is broken: ${what}`, {
    fix: 'If an operator of yours makes this column, correct it; else report this with the log before it.',
  })
}
