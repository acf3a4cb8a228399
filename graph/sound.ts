import { intAt } from './batch.ts'
import { headBytes, padded, sizesOf } from './layout.ts'
import type { AnySchema, Column } from './schema.ts'

/** What of a column says how its part of a batch is to be walked. */
interface Part {
  readonly nullable: boolean
  /** Bytes a row; of texts and lists, of each of their values; 0: eight rows take one. */
  readonly width: number
  readonly isRun: boolean
  /** A choice has no more values than these. */
  readonly choices: number
}

const RUNS: Partial<Record<Column['kind'], number>> = { text: 1, name: 1, floats: 8 }
const WIDTHS: Partial<Record<Column['kind'], number>> = { flag: 0, choice: 1, int: 4 }

interface Plan {
  readonly head: number
  readonly parts: readonly Part[]
}
const known = new WeakMap<AnySchema, Plan>()

const planOf = (schema: AnySchema): Plan => {
  const found = known.get(schema)
  if (found !== undefined) return found
  const parts = schema.columns.map(({ kind, nullable, values }): Part => {
    const run = RUNS[kind]
    const choices = kind === 'choice' ? values.length : Infinity
    return { nullable, width: run ?? WIDTHS[kind] ?? 8, isRun: run !== undefined, choices }
  })
  const made = { head: headBytes(sizesOf(schema)), parts }
  known.set(schema, made)
  return made
}

/**
 * Are these bytes a batch of a schema, with so many rows? All that reading relies on is looked at, and
 * nothing is made: the sizes in its head, where texts and lists begin, and which of its values a choice is.
 */
export const isBatch = (schema: AnySchema, bytes: Uint8Array, rows: number): boolean => {
  const { head, parts } = planOf(schema)
  if (bytes.length < head || intAt(bytes, 0) !== rows) return false
  let size = 4
  let at = head
  for (const { nullable, width, isRun, choices } of parts) {
    if (nullable) {
      if (intAt(bytes, size) !== 0) at += padded((rows + 7) >> 3)
      size += 4
    }
    if (isRun) {
      const length = intAt(bytes, size)
      size += 4
      const values = at + padded(4 * (rows + 1))
      const end = values + padded(width * length)
      if (length < 0 || end > bytes.length || !areRuns(bytes, at, rows, length)) return false
      at = end
    } else {
      const end = at + padded(width === 0 ? (rows + 7) >> 3 : width * rows)
      if (end > bytes.length) return false
      if (choices < Infinity)
        for (let row = 0; row < rows; row++) if (bytes[at + row]! >= choices) return false
      at = end
    }
  }
  return at === bytes.length
}

/** Each begins where the one before it ends, and the last one ends where all do. */
const areRuns = (bytes: Uint8Array, at: number, rows: number, length: number): boolean => {
  let before = intAt(bytes, at)
  if (before !== 0) return false
  for (let row = 1; row <= rows; row++) {
    const end = intAt(bytes, at + 4 * row)
    if (end < before) return false
    before = end
  }
  return before === length
}
