import { Lists, Names, numberOf, Numbers, refuse, textOf, Texts } from './filling.ts'
import type { Filling } from './filling.ts'
import { Layout, sizesOf } from './layout.ts'
import { cellsOf } from './row.ts'
import type { Cells } from './row.ts'
import type { AnySchema } from './schema.ts'

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
      return column.kind === 'floats' ? new Lists(column, place) : numbers.filling(column, place)
    })
    this.#all = fillings
    this.#sizes = sizesOf(schema)
    this.#numbers = numbers
    this.#names = fillings.filter((one) => one instanceof Names)
    this.#texts = fillings.filter((one) => one instanceof Texts)
    this.#lists = fillings.filter((one) => one instanceof Lists)
  }

  /** Copy a row. `order` is its place in its step, over all topics. */
  add(row: object, order = 0, cells = cellsOf(row)): void {
    if (cells !== undefined && (cells === this.#cells || this.#fits(cells))) this.#copy(cells, order)
    else this.#read(row as Readonly<Record<string, unknown>>, order)
    this.rows++
  }

  /**
   * The batch: its number of rows and the sizes of its parts (little-endian), then the parts, each padded
   * to 8 bytes. It lies in the given memory, or has its own.
   */
  take(layout = new Layout()): { readonly rows: number; readonly bytes: Uint8Array } {
    const { rows } = this
    layout.begin(rows, this.#sizes)
    for (const filling of this.#all) {
      filling.lay(layout)
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
    const names = this.#names
    const texts = this.#texts
    const lists = this.#lists
    for (let i = 0; i < names.length; i++) names[i]!.values[rows] = cells.names[names[i]!.place]!
    for (let i = 0; i < texts.length; i++) texts[i]!.copy(cells.texts[texts[i]!.place]!, rows)
    for (let i = 0; i < lists.length; i++) lists[i]!.copy(cells.lists[lists[i]!.place]!, rows)
  }

  #read(row: Readonly<Record<string, unknown>>, order: number): void {
    const { rows } = this
    const all = this.#all
    this.#numbers.room(rows)
    for (let place = 0; place < all.length; place++) {
      const one = all[place]!
      const { column } = one
      const value = one.ordered ? order : row[column.name]
      if (value === undefined && column.nullable) refuse(column, 'null where it has no value', value)
      if (one.slot >= 0) this.#numbers.put(rows, one.slot, numberOf(column, value))
      else if (one instanceof Names) one.values[rows] = textOf(column, value)
      else one.read(value, rows)
    }
  }
}
