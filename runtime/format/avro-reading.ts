import { nameOf } from '../../graph/batch.ts'
import { ByteMap } from '../../graph/byte-map.ts'
import { KtError } from '../../graph/error.ts'
import type { Cells } from '../../graph/row.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { AvroInput } from './avro-input.ts'
import type { AvroType } from './avro-schema.ts'
import { HEAD_BYTES } from './avro-writing.ts'

/** Reads one field into cells, or passes it. */
type Step = (input: AvroInput, cells: Cells) => void

/**
 * Reads events of a writer's schema into cells of the reader's, by Avro's rules: fields are found by their
 * names, one that the reader lacks is passed, a column that the writer lacks has no value, and a narrower
 * number becomes the wider one. Throws KT3043 when the reader's schema cannot take what the writer's may
 * hold; reading throws KT3001.
 *
 * @see https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
 */
export const avroReading = (
  reader: AnySchema,
  writer: unknown,
): ((bytes: Uint8Array, cells: Cells) => void) => {
  const fields = fieldsOf(reader, writer)
  const steps = fields.map(({ name, type }): Step => {
    const at = reader.columns.findIndex((column) => column.name === name)
    const step = at < 0 ? passing(type) : reading(reader.columns[at]!, at, type)
    if (step !== undefined) return step
    throw unlike(reader, `Its field "${name}" is ${JSON.stringify(type)}.`)
  })
  const written = new Set(fields.map(({ name }) => name))
  const absent = reader.columns.flatMap((column, at) => (written.has(column.name) ? [] : [{ column, at }]))
  const needed = absent.find(({ column }) => !column.nullable)
  if (needed !== undefined) throw unlike(reader, `It has no field "${needed.column.name}".`)
  const input = new AvroInput(reader.name)
  return (bytes, cells) => {
    input.open(bytes, HEAD_BYTES)
    for (let i = 0; i < steps.length; i++) steps[i]!(input, cells)
    for (const { column, at } of absent) putNone(cells, column, at)
    input.close()
  }
}

interface Field {
  readonly name: string
  readonly type: AvroType
}

const fieldsOf = (reader: AnySchema, writer: unknown): readonly Field[] => {
  const { type, name, fields } = (writer ?? {}) as {
    readonly type?: unknown
    readonly name?: unknown
    readonly fields?: unknown
  }
  // A registry may write the name with its namespace.
  if (type === 'record' && String(name).split('.').at(-1) === reader.name && Array.isArray(fields))
    return fields as readonly Field[]
  throw unlike(reader, `It is ${String(type)} "${String(name)}".`)
}

const unlike = (reader: AnySchema, why: string): KtError =>
  new KtError('KT3043', `the schema that a record was written by cannot be read as "${reader.name}"`, {
    why,
    fix: 'Look in the registry which program registered it: only kt may write to this topic.',
  })

interface Plain {
  /** `long`, `string`, `array`: what remains when its attributes are left out. */
  readonly kind: string
  readonly logical: string | undefined
  readonly items: AvroType | undefined
}

const plain = (type: AvroType): Plain => {
  if (typeof type === 'string') return { kind: type, logical: undefined, items: undefined }
  const { type: kind, logicalType, items } = type as { readonly [name: string]: unknown }
  const logical = typeof logicalType === 'string' ? logicalType : undefined
  return { kind: typeof kind === 'string' ? kind : '', logical, items: items as AvroType | undefined }
}

/** The branches of a union. */
const branchesOf = (type: AvroType): readonly AvroType[] | undefined =>
  Array.isArray(type) ? (type as readonly AvroType[]) : undefined

const reading = (column: Column, at: number, type: AvroType): Step | undefined => {
  const branches = branchesOf(type)
  if (branches === undefined) return value(column, at, plain(type))
  const steps = branches.map((one): Step | undefined => {
    if (one !== 'null') return value(column, at, plain(one))
    if (column.nullable) return (_, cells) => putNone(cells, column, at)
    return (input) => input.refuse(`Field "${column.name}" is null.`)
  })
  return steps.includes(undefined) ? undefined : choosing(steps as readonly Step[])
}

const choosing =
  (steps: readonly Step[]): Step =>
  (input, cells) => {
    const branch = input.long()
    const step = steps[branch]
    if (step === undefined) return input.refuse(`A union of it has no branch ${branch}.`)
    step(input, cells)
  }

const putNone = (cells: Cells, { kind }: Column, at: number): void => {
  if (kind === 'name') cells.names[at] = null
  else if (kind === 'text') cells.texts[at]!.set(null)
  else cells.numbers[at] = NaN
}

type Read = (input: AvroInput) => number

/** What each kind of column takes of a number: Avro lets a narrower one stand for a wider one. */
const NUMBERS: Readonly<Record<string, Read>> = {
  int: (input) => input.int(),
  long: (input) => input.long(),
  float: (input) => input.float(),
  double: (input) => input.double(),
}
const TAKEN: Partial<Record<Column['kind'], readonly string[]>> = {
  int: ['int'],
  count: ['int', 'long'],
  micros: ['int', 'long'],
  float: ['int', 'long', 'float', 'double'],
  floats: ['int', 'long', 'float', 'double'],
}
const ITEM_BYTES: Readonly<Record<string, number>> = { float: 4, double: 8 }

const value = (column: Column, at: number, { kind, logical, items }: Plain): Step | undefined => {
  switch (column.kind) {
    case 'text':
    case 'name':
    case 'choice':
      return kind === 'string' ? text(column, at) : undefined
    case 'flag':
      return kind === 'boolean'
        ? (input, { numbers }) => void (numbers[at] = Number(input.flag()))
        : undefined
    case 'floats':
      return kind === 'array' && items !== undefined ? list(column, at, plain(items).kind) : undefined
    default: {
      const read = TAKEN[column.kind]!.includes(kind) ? NUMBERS[kind] : undefined
      // A time in another unit, and a decimal, are other numbers.
      const meant = column.kind === 'micros' ? 'timestamp-micros' : undefined
      if (read === undefined || logical !== meant) return undefined
      return (input, { numbers }) => void (numbers[at] = read(input))
    }
  }
}

const text = (column: Column, at: number): Step => {
  if (column.kind === 'text')
    return (input, { texts }) => {
      const from = input.text()
      texts[at]!.copy(input.bytes, from, input.at)
    }
  if (column.kind === 'name')
    return (input, { names }) => {
      const from = input.text()
      names[at] = nameOf(input.bytes, from, input.at)
    }
  const places = new ByteMap<number>()
  column.values.forEach((one, place) => places.set(one, place))
  return (input, { numbers }) => {
    const from = input.text()
    const place = places.get(input.bytes, from, input.at)
    numbers[at] = place ?? input.refuse(`Field "${column.name}" has a value that is none of its choices.`)
  }
}

const list = (column: Column, at: number, kind: string): Step | undefined => {
  const read = TAKEN[column.kind]!.includes(kind) ? NUMBERS[kind] : undefined
  if (read === undefined) return undefined
  const itemBytes = ITEM_BYTES[kind] ?? 1
  return (input, { lists }) => {
    const to = lists[at]!
    let length = 0
    for (let count = input.block(itemBytes); count > 0; count = input.block(itemBytes)) {
      to.room(length + count)
      for (const end = length + count; length < end; length++) to.values[length] = read(input)
    }
    to.length = length
  }
}

/** Pass a field that the reader does not have. */
const passing = (type: AvroType): Step | undefined => {
  const branches = branchesOf(type)
  if (branches !== undefined) {
    const steps = branches.map(passing)
    return steps.includes(undefined) ? undefined : choosing(steps as readonly Step[])
  }
  const { kind, items } = plain(type)
  const read = NUMBERS[kind]
  if (read !== undefined) return (input) => void read(input)
  if (kind === 'null') return () => {}
  if (kind === 'boolean') return (input) => void input.flag()
  if (kind === 'string') return (input) => void input.text()
  const item = kind === 'array' && items !== undefined ? passing(items) : undefined
  if (item === undefined) return undefined
  return (input, cells) => {
    for (let left = input.block(1); left > 0; left = input.block(1))
      for (; left > 0; left--) item(input, cells)
  }
}
