import { KtError } from './error.ts'
import type { AnySchema, Column } from './schema.ts'

const encoder = new TextEncoder()
const HIGH = 2 ** 32

/** Bytes that grow: what a column has so far. */
class Bytes {
  bytes = new Uint8Array(256)
  used = 0

  room(more: number): void {
    if (this.used + more <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.used + more))
    grown.set(this.bytes.subarray(0, this.used))
    this.bytes = grown
  }
}

/**
 * One column being filled. `put` takes the value of a row; `parts` are its Arrow buffers, in Arrow's order.
 */
interface Filling {
  readonly put: (value: unknown, row: number) => void
  readonly parts: (rows: number) => readonly Uint8Array[]
  /** What a reader cannot work out from the number of rows: see `sizesOf`. */
  readonly sizes: () => readonly number[]
  readonly clear: () => void
}

/**
 * The rows of one batch, as Arrow columns in typed arrays. `add` copies a row; `take` hands the batch over
 * and begins again.
 */
export class Columns {
  readonly schema: AnySchema
  rows = 0
  readonly #names: readonly string[]
  readonly #fillings: readonly Filling[]
  /** The column that no event has: the row's place in its step. */
  readonly #order: Filling | undefined

  constructor(schema: AnySchema) {
    this.schema = schema
    const own = schema.columns.filter((column) => column.name !== '_order')
    this.#names = own.map((column) => column.name)
    this.#fillings = schema.columns.map(filling)
    this.#order = own.length < schema.columns.length ? this.#fillings.at(-1) : undefined
  }

  /** Copy a row. `order` is its place in its step, over all topics. */
  add(row: object, order = 0): void {
    const names = this.#names
    for (let i = 0; i < names.length; i++) {
      this.#fillings[i]!.put((row as Record<string, unknown>)[names[i]!], this.rows)
    }
    this.#order?.put(order, this.rows)
    this.rows++
  }

  /**
   * The batch: its number of rows and the sizes of its parts (little-endian), then the parts, each padded
   * to 8 bytes.
   */
  take(): { readonly rows: number; readonly bytes: Uint8Array } {
    const rows = this.rows
    const sizes = this.#fillings.flatMap((one) => one.sizes())
    const parts = this.#fillings.flatMap((one) => one.parts(rows))
    const head = headBytes(sizes.length)
    const bytes = new Uint8Array(head + parts.reduce((sum, part) => sum + padded(part.length), 0))
    const view = new DataView(bytes.buffer)
    view.setUint32(0, rows, true)
    sizes.forEach((size, i) => view.setUint32(4 + 4 * i, size, true))
    let at = head
    for (const part of parts) {
      bytes.set(part, at)
      at += padded(part.length)
    }
    for (const one of this.#fillings) one.clear()
    this.rows = 0
    return { rows, bytes }
  }
}

export const padded = (length: number): number => (length + 7) & ~7

/** The head of a batch: the number of rows and its sizes, padded. */
export const headBytes = (sizes: number): number => padded(4 + 4 * sizes)

const filling = (column: Column): Filling => {
  const values = valuesOf(column)
  return column.nullable ? nullable(values, column) : values
}

const valuesOf = (column: Column): Filling => {
  switch (column.kind) {
    case 'text':
      return texts(column, false)
    case 'name':
      return texts(column, true)
    case 'float':
      return fixed(8, (view, at, value) => view.setFloat64(at, value as number, true))
    case 'count':
    case 'micros':
      return fixed(8, (view, at, value) => putWhole(view, at, value as number, column.name))
    case 'int':
      return fixed(4, (view, at, value) => view.setInt32(at, value as number, true))
    case 'flag':
      return bits()
    case 'choice':
      return choices(column)
    case 'floats':
      return lists()
  }
}

const putWhole = (view: DataView, at: number, value: number, name: string): void => {
  // The sentence is made only when it is needed: this runs for every cell.
  if (!Number.isSafeInteger(value)) refuse(name, 'whole numbers up to 2^53', value)
  const high = Math.floor(value / HIGH)
  view.setUint32(at, value - high * HIGH, true)
  view.setInt32(at + 4, high, true)
}

const refuse = (column: string, holds: string, value: unknown): never => {
  const what = `column "${column}" holds ${holds}, not ${String(value)}`
  throw new KtError('KT9000', `an invariant of kt is broken: ${what}`, {
    fix: 'Report this with the lines of the log before it.',
  })
}

const fixed = (width: number, write: (view: DataView, at: number, value: unknown) => void): Filling => {
  const store = new Bytes()
  let view = new DataView(store.bytes.buffer)
  return {
    put: (value) => {
      store.room(width)
      if (view.buffer !== store.bytes.buffer) view = new DataView(store.bytes.buffer)
      write(view, store.used, value ?? 0)
      store.used += width
    },
    parts: () => [NOTHING, store.bytes.subarray(0, store.used)],
    sizes: () => [],
    clear: () => void (store.used = 0),
  }
}

const bits = (): Filling => {
  const store = new Bytes()
  return {
    put: (value, row) => putBit(store, row, value === true),
    parts: () => [NOTHING, store.bytes.subarray(0, store.used)],
    sizes: () => [],
    clear: () => void (store.used = 0),
  }
}

const putBit = (store: Bytes, row: number, on: boolean): void => {
  if ((row & 7) === 0) {
    store.room(1)
    store.bytes[store.used++] = 0
  }
  if (on) store.bytes[store.used - 1]! |= 1 << (row & 7)
}

const choices = (column: Column): Filling => {
  const codes = new Map(column.values.map((value, code) => [value, code]))
  return fixed(1, (view, at, value) => {
    const code = value === 0 ? 0 : codes.get(value as string)
    if (code === undefined) return refuse(column.name, column.values.join(', '), value)
    view.setInt8(at, code)
  })
}

/** Texts; those of few different values are encoded once and remembered. */
const texts = (column: Column, few: boolean): Filling => {
  const offsets = fixed(4, (view, at, value) => view.setInt32(at, value as number, true))
  const store = new Bytes()
  const known = new Map<string, Uint8Array>()
  const write = (value: string): void => {
    const copy = known.get(value)
    if (copy !== undefined) {
      store.room(copy.length)
      store.bytes.set(copy, store.used)
      store.used += copy.length
      return
    }
    store.room(value.length * 3)
    const { written } = encoder.encodeInto(value, store.bytes.subarray(store.used))
    if (few && known.size < 4096) known.set(value, store.bytes.slice(store.used, store.used + written))
    store.used += written
  }
  return {
    put: (value, row) => {
      const missing = column.nullable && value === null
      if (typeof value !== 'string' && !missing) refuse(column.name, 'texts', value)
      offsets.put(store.used, row)
      if (value !== null) write(value as string)
    },
    parts: (rows) => {
      offsets.put(store.used, rows)
      return [NOTHING, offsets.parts(rows)[1]!, store.bytes.subarray(0, store.used)]
    },
    sizes: () => [store.used],
    clear: () => {
      offsets.clear()
      store.used = 0
    },
  }
}

const lists = (): Filling => {
  const offsets = fixed(4, (view, at, value) => view.setInt32(at, value as number, true))
  const inner = fixed(8, (view, at, value) => view.setFloat64(at, value as number, true))
  let count = 0
  return {
    put: (value, row) => {
      offsets.put(count, row)
      for (const one of value as readonly number[]) inner.put(one, count++)
    },
    parts: (rows) => {
      offsets.put(count, rows)
      return [NOTHING, offsets.parts(rows)[1]!, NOTHING, inner.parts(count)[1]!]
    },
    sizes: () => [count],
    clear: () => {
      offsets.clear()
      inner.clear()
      count = 0
    },
  }
}

/** The same column with a bitmap of the rows that have a value; no bitmap when all have. */
const nullable = (values: Filling, column: Column): Filling => {
  const present = new Bytes()
  let missing = 0
  return {
    put: (value, row) => {
      if (value === undefined) refuse(column.name, 'null where it has no value', value)
      if (value === null) missing++
      putBit(present, row, value !== null)
      values.put(value, row)
    },
    parts: (rows) => [
      missing === 0 ? NOTHING : present.bytes.subarray(0, present.used),
      ...values.parts(rows).slice(1),
    ],
    sizes: () => [missing, ...values.sizes()],
    clear: () => {
      present.used = 0
      missing = 0
      values.clear()
    },
  }
}

const NOTHING = new Uint8Array(0)
