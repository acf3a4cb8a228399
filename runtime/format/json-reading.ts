import type { Cells } from '../../graph/row.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { unread } from './unread.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Read an event that `jsonWriting` wrote into cells of its schema. Throws KT3001 for anything else: a
 * property that is missing, not known, or of another type.
 */
export const readJson = (bytes: Uint8Array, cells: Cells): void => {
  const { schema } = cells
  const event = objectOf(schema, bytes)
  const { columns } = schema
  for (let at = 0; at < columns.length; at++) put(cells, columns[at]!, at, event[columns[at]!.name])
  const names = Object.keys(event)
  if (names.length === columns.length) return
  const more = names.find((name) => columns.every((column) => column.name !== name))
  throw unread(schema.name, `It has a property "${more}" that no column is named by.`)
}

const objectOf = (schema: AnySchema, bytes: Uint8Array): Readonly<Record<string, unknown>> => {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(bytes))
  } catch (error) {
    throw unread(schema.name, `It is not JSON: ${(error as Error).message}.`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>
  throw unread(schema.name, 'It is not a JSON object.')
}

const put = (cells: Cells, column: Column, at: number, value: unknown): void => {
  const wrong = (): Error =>
    unread(cells.schema.name, `Property "${column.name}" cannot be ${JSON.stringify(value) ?? 'missing'}.`)
  if (value === null && !column.nullable) throw wrong()
  switch (column.kind) {
    case 'name':
    case 'text': {
      if (value !== null && !(typeof value === 'string' && value.isWellFormed())) throw wrong()
      if (column.kind === 'name') cells.names[at] = value
      else cells.texts[at]!.set(value)
      return
    }
    case 'floats': {
      if (!Array.isArray(value)) throw wrong()
      const list = cells.lists[at]!
      list.room(value.length)
      list.length = value.length
      for (let i = 0; i < value.length; i++) {
        const number = floatOf(value[i])
        if (number === undefined) throw wrong()
        list.values[i] = number
      }
      return
    }
    default: {
      const number = value === null ? NaN : numberOf(column, value)
      if (number === undefined) throw wrong()
      cells.numbers[at] = number
    }
  }
}

/** As cells hold it; undefined: the column cannot hold it. */
const numberOf = (column: Column, value: unknown): number | undefined => {
  switch (column.kind) {
    case 'float':
      return floatOf(value)
    case 'flag':
      return typeof value === 'boolean' ? Number(value) : undefined
    case 'choice': {
      const place = typeof value === 'string' ? column.values.indexOf(value) : -1
      return place < 0 ? undefined : place
    }
    case 'int':
      return Number.isInteger(value) && (value as number) === ((value as number) | 0)
        ? (value as number)
        : undefined
    default:
      return Number.isSafeInteger(value) ? (value as number) : undefined
  }
}

const floatOf = (value: unknown): number | undefined => {
  if (typeof value === 'number') return value
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : undefined
}
