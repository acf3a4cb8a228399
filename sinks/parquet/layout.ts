import { snake } from '../../graph/schema.ts'
import type { Column } from '../../graph/schema.ts'
import type { Width } from './bounds.ts'
import type { Compact } from './thrift.ts'

/** How a column is stored, by the numbers that Parquet gives to its types. */
interface Stored {
  readonly type: number
  readonly width: Width
  readonly text: boolean
  readonly time: boolean
  readonly list: boolean
}

const UTF8 = 0
const LIST = 3
const TIMESTAMP_MICROS = 10
const REQUIRED = 0
const OPTIONAL = 1
const REPEATED = 2

/** What Parquet knows of a kind of column. */
export const storedAs = ({ kind }: Column): Stored => {
  const bare = { text: false, time: false, list: false }
  switch (kind) {
    case 'flag':
      return { ...bare, type: 0, width: 'flag' }
    case 'int':
      return { ...bare, type: 1, width: 'int32' }
    case 'count':
      return { ...bare, type: 2, width: 'int64' }
    case 'micros':
      return { ...bare, type: 2, width: 'int64', time: true }
    case 'float':
      return { ...bare, type: 5, width: 'double' }
    case 'floats':
      return { ...bare, type: 5, width: 'double', list: true }
    default:
      return { ...bare, type: 6, width: 'bytes', text: true }
  }
}

/** Writes an element of the schema. */
type Element = (meta: Compact) => void

/** A column's place in the schema; a list is a group of a group. */
export const elementsOf = (column: Column): readonly Element[] => {
  const { type, text, time, list } = storedAs(column)
  const name = snake(column.name)
  if (!list)
    return [
      (meta) => {
        meta.int32(1, type)
        meta.int32(3, column.nullable ? OPTIONAL : REQUIRED)
        meta.text(4, name)
        if (text) meta.int32(6, UTF8)
        if (time) meta.int32(6, TIMESTAMP_MICROS)
        if (text) meta.struct(10, () => meta.struct(1, () => {}))
        if (time) meta.struct(10, () => meta.struct(8, () => putMicros(meta)))
      },
    ]
  return [
    (meta) => {
      meta.int32(3, REQUIRED)
      meta.text(4, name)
      meta.int32(5, 1)
      meta.int32(6, LIST)
      meta.struct(10, () => meta.struct(3, () => {}))
    },
    (meta) => {
      meta.int32(3, REPEATED)
      meta.text(4, 'list')
      meta.int32(5, 1)
    },
    (meta) => {
      meta.int32(1, type)
      meta.int32(3, REQUIRED)
      meta.text(4, 'item')
    },
  ]
}

const putMicros = (meta: Compact): void => {
  meta.flag(1, true)
  meta.struct(2, () => meta.struct(2, () => {}))
}
