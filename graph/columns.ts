import { Layout, sizesOf } from './layout.ts'
import { cellsOf } from './row.ts'
import type { Cells } from './row.ts'
import type { AnySchema } from './schema.ts'
import { createWaiting } from './waiting.ts'
import type { Waiting } from './waiting.ts'

/**
 * The rows of one batch. `add` copies a row; `take` lays them out as Arrow columns, hands the batch over and
 * begins again.
 */
export class Columns {
  readonly schema: AnySchema
  rows = 0
  readonly #waiting: Waiting
  readonly #sizes: number
  /** Cells that are known to be of this schema. */
  #cells: Cells | undefined

  constructor(schema: AnySchema) {
    this.schema = schema
    this.#waiting = createWaiting(schema)
    this.#sizes = sizesOf(schema)
  }

  /** Copy a row. `order` is its place in its step, over all topics. */
  add(row: object, order = 0, cells = cellsOf(row)): void {
    if (cells !== undefined && (cells === this.#cells || this.#fits(cells)))
      this.#waiting.copy(cells, this.rows, order)
    else this.#waiting.read(row, this.rows, order)
    this.rows++
  }

  /**
   * The batch: its number of rows and the sizes of its parts (little-endian), then the parts, each padded
   * to 8 bytes. It lies in the given memory, or has its own.
   */
  take(layout = new Layout()): { readonly rows: number; readonly bytes: Uint8Array } {
    const { rows } = this
    layout.begin(rows, this.#sizes)
    this.#waiting.lay(layout)
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
}
