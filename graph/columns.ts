import { KtError } from './error.ts'
import { Layout, sizesOf } from './layout.ts'
import { cellsOf } from './row.ts'
import type { ByteText, Cells, Doubles } from './row.ts'
import type { AnySchema, Column, Floats } from './schema.ts'

/**
 * The rows of one batch. `add` copies a row; `take` lays them out as Arrow columns, hands the batch over and
 * begins again. Numbers wait row by row, so that a row is one run of memory; a missing one is NaN.
 */
export class Columns {
  readonly schema: AnySchema
  rows = 0
  readonly #numbers: Numbers
  readonly #names: readonly Names[]
  readonly #texts: readonly Texts[]
  readonly #lists: readonly Lists[]
  /** All of them, in the order of the schema. */
  readonly #all: readonly Filling[]
  readonly #sizes: number
  /** Cells that are known to be of this schema. */
  #cells: Cells | undefined

  constructor(schema: AnySchema) {
    this.schema = schema
    const numbers = new Numbers(schema.columns)
    const fillings = schema.columns.map((column, place): Filling => {
      if (column.kind === 'name') return new Names(column, place)
      if (column.kind === 'text') return new Texts(column, place)
      return column.kind === 'floats' ? new Lists(place) : numbers.filling(column, place)
    })
    this.#all = fillings
    this.#sizes = sizesOf(schema)
    this.#numbers = numbers
    this.#names = fillings.filter((one) => one instanceof Names)
    this.#texts = fillings.filter((one) => one instanceof Texts)
    this.#lists = fillings.filter((one) => one instanceof Lists)
  }

  /** Copy a row. `order` is its place in its step, over all topics. */
  add(row: object, order = 0): void {
    const cells = cellsOf(row)
    if (cells !== undefined && (cells === this.#cells || this.#fits(cells))) this.#copy(cells, order)
    else this.#read(row as Readonly<Record<string, unknown>>, order)
    this.rows++
  }

  /**
   * The batch: its number of rows and the sizes of its parts (little-endian), then the parts, each padded
   * to 8 bytes.
   */
  take(): { readonly rows: number; readonly bytes: Uint8Array } {
    const { rows } = this
    layout.begin(rows, this.#sizes)
    for (const filling of this.#all) {
      filling.lay()
      filling.clear()
    }
    this.rows = 0
    return { rows, bytes: layout.end() }
  }

  #fits(cells: Cells): boolean {
    const own = cells.schema.columns
    const rest = this.schema.columns.length - own.length
    if (rest < 0 || rest > 1 || own.some((column, i) => column !== this.schema.columns[i])) return false
    this.#cells = cells
    return true
  }

  /** Cells hold what has passed the border of a mapping, so that nothing is checked again. */
  #copy(cells: Cells, order: number): void {
    const { rows } = this
    this.#numbers.copy(cells.numbers, rows, order)
    const [names, texts, lists] = [this.#names, this.#texts, this.#lists]
    for (let i = 0; i < names.length; i++) names[i]!.values[rows] = cells.names[names[i]!.place]!
    for (let i = 0; i < texts.length; i++) texts[i]!.copy(cells.texts[texts[i]!.place]!, rows)
    for (let i = 0; i < lists.length; i++) lists[i]!.copy(cells.lists[lists[i]!.place]!, rows)
  }

  #read(row: Readonly<Record<string, unknown>>, order: number): void {
    const { rows } = this
    const { columns } = this.schema
    this.#numbers.room(rows)
    for (let place = 0; place < columns.length; place++) {
      const column = columns[place]!
      const value = column.name === '_order' ? order : row[column.name]
      if (value === undefined && column.nullable) refuse(column, 'null where it has no value', value)
      this.#all[place]!.read(value, rows)
    }
  }
}

/** Batches are laid out one at a time. */
const layout = new Layout()

/** One column being filled. */
interface Filling {
  readonly read: (value: unknown, row: number) => void
  readonly lay: () => void
  readonly clear: () => void
}

/** All columns that are numbers: floats, times, counts, choices by their place, flags as 0 and 1. */
class Numbers {
  readonly #places: readonly number[]
  readonly #slots: number
  readonly #ordered: boolean
  #capacity = 16
  #values: Float64Array

  constructor(columns: readonly Column[]) {
    const places = columns.flatMap(({ kind }, place) => (NUMBERS.has(kind) ? [place] : []))
    this.#slots = places.length
    this.#ordered = columns.at(-1)?.name === '_order'
    this.#places = this.#ordered ? places.slice(0, -1) : places
    this.#values = new Float64Array(this.#capacity * this.#slots)
  }

  room(row: number): void {
    if (row < this.#capacity) return
    this.#capacity *= 2
    const grown = new Float64Array(this.#capacity * this.#slots)
    grown.set(this.#values)
    this.#values = grown
  }

  copy(from: Float64Array, row: number, order: number): void {
    this.room(row)
    const [values, places] = [this.#values, this.#places]
    const base = row * this.#slots
    for (let i = 0; i < places.length; i++) values[base + i] = from[places[i]!]!
    if (this.#ordered) values[base + places.length] = order
  }

  filling(column: Column, place: number): Filling {
    const slot = column.name === '_order' ? this.#slots - 1 : this.#places.indexOf(place)
    return {
      read: (value, row) => void (this.#values[row * this.#slots + slot] = numberOf(column, value)),
      lay: () => layout.numbers(column, { values: this.#values, slot, stride: this.#slots }),
      clear: () => {},
    }
  }
}

const NUMBERS: ReadonlySet<Column['kind']> = new Set(['float', 'count', 'micros', 'int', 'choice', 'flag'])

/** Names are few, so that each is encoded once and remembered. */
class Names implements Filling {
  readonly values: (string | null)[] = []
  readonly place: number
  readonly #column: Column
  readonly #known = new Map<string, Uint8Array>()

  constructor(column: Column, place: number) {
    this.#column = column
    this.place = place
  }

  read(value: unknown, row: number): void {
    this.values[row] = textOf(this.#column, value)
  }

  lay(): void {
    layout.names(this.#column, this.values, this.#known)
  }

  /** The list keeps its length, and so its memory: what is beyond the rows is never read. */
  clear(): void {}
}

const encoder = new TextEncoder()

class Texts implements Filling {
  readonly place: number
  readonly #column: Column
  /** Where each row ends, after a zero; and which rows have a text. */
  #ends = new Int32Array(17)
  #present = new Uint8Array(16)
  #bytes = new Uint8Array(256)
  #used = 0

  constructor(column: Column, place: number) {
    this.#column = column
    this.place = place
  }

  copy({ bytes, length }: ByteText, row: number): void {
    this.#room(row, length)
    const [to, used] = [this.#bytes, this.#used]
    for (let i = 0; i < length; i++) to[used + i] = bytes[i]!
    this.#end(row, length)
  }

  read(value: unknown, row: number): void {
    const text = textOf(this.#column, value)
    this.#room(row, (text ?? '').length * 3)
    this.#end(row, text === null ? -1 : encoder.encodeInto(text, this.#bytes.subarray(this.#used)).written)
  }

  lay(): void {
    layout.texts(this.#column, this.#ends, this.#bytes, this.#used, this.#present)
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

class Lists implements Filling {
  readonly place: number
  #ends = new Int32Array(17)
  #values = new Float64Array(64)
  #used = 0

  constructor(place: number) {
    this.place = place
  }

  copy(list: Doubles, row: number): void {
    this.#put(list.values, list.length, row)
  }

  read(value: unknown, row: number): void {
    const list = value as Floats
    this.#put(list, list.length, row)
  }

  lay(): void {
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
    const [to, used] = [this.#values, this.#used]
    for (let i = 0; i < length; i++) to[used + i] = list[i]!
    this.#used += length
    this.#ends[row + 1] = this.#used
  }
}

const grown = <T extends Uint8Array | Int32Array | Float64Array>(from: T, to: T): T => {
  to.set(from)
  return to
}

const numberOf = (column: Column, value: unknown): number => {
  if (value === null && column.nullable) return NaN
  switch (column.kind) {
    case 'choice': {
      const code = column.values.indexOf(value as string)
      return code < 0 ? refuse(column, column.values.join(', '), value) : code
    }
    case 'flag':
      return value === true ? 1 : 0
    case 'float':
    case 'int':
      return value as number
    default:
      return Number.isSafeInteger(value)
        ? (value as number)
        : refuse(column, 'whole numbers up to 2^53', value)
  }
}

const textOf = (column: Column, value: unknown): string | null => {
  if (typeof value === 'string' || (value === null && column.nullable)) return value as string | null
  return refuse(column, 'texts', value)
}

const refuse = ({ name }: Column, holds: string, value: unknown): never => {
  const what = `column "${name}" holds ${holds}, not ${String(value)}`
  throw new KtError('KT9000', `an invariant of kt is broken: ${what}`, {
    fix: 'Report this with the lines of the log before it.',
  })
}
