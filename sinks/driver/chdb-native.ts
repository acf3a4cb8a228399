import { refusal } from './chdb-engine.ts'

/**
 * ClickHouse's Native format for clients that send `client_protocol_version` (clickhouse-go, and with it
 * Grafana): from revision 54454 on they expect each block to begin with its info, and each column to say that
 * its encoding is the plain one. The library always writes revision 0, without either. So columns are found,
 * by their types, and the missing bytes put between. See
 * https://clickhouse.com/docs/interfaces/formats/Native.
 */
export const withRevision = (blocks: Uint8Array, revision: number): Uint8Array => {
  if (revision === 0) return blocks
  const reader = new Reader(Buffer.from(blocks.buffer, blocks.byteOffset, blocks.byteLength))
  const parts: Uint8Array[] = []
  while (!reader.done) {
    const start = reader.at
    const columns = reader.varint()
    const rows = reader.varint()
    parts.push(blockInfo, reader.since(start))
    for (let column = 0; column < columns; column += 1) {
      const named = reader.at
      reader.text()
      const type = parseType(reader.text())
      parts.push(reader.since(named))
      if (revision >= customSerialization) parts.push(plain)
      const begin = reader.at
      if (rows > 0) {
        skipPrefix(reader, type)
        skipRows(reader, type, rows)
      }
      parts.push(reader.since(begin))
    }
  }
  return Buffer.concat(parts)
}

const customSerialization = 54_454
/** Field 1: not an overflow row; field 2: bucket -1; end. */
const blockInfo = Uint8Array.of(1, 0, 2, 255, 255, 255, 255, 0)
const plain = Uint8Array.of(0)

class Reader {
  readonly #bytes: Buffer
  at = 0
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }
  get done(): boolean {
    return this.at >= this.#bytes.length
  }
  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes.readUInt8(this.at++)
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  text(): string {
    const length = this.varint()
    this.skip(length)
    return this.#bytes.toString('utf8', this.at - length, this.at)
  }
  uint64(): number {
    this.at += 8
    return Number(this.#bytes.readBigUInt64LE(this.at - 8))
  }
  /** The count is read before the position, which reading it may move. */
  skip(bytes: number): void {
    this.at += bytes
  }
  since(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.at)
  }
}

interface Type {
  readonly name: string
  readonly inner: readonly string[]
}

/**
 * `Name(a, b(c, d))` in its name and its arguments; commas in parentheses and quotes do not part arguments.
 */
const parseType = (text: string): Type => {
  const open = text.indexOf('(')
  if (open < 0) return { name: text, inner: [] }
  const inner: string[] = []
  let depth = 0
  let start = open + 1
  for (let at = start; at < text.length; at += 1) {
    const letter = text[at]
    if (letter === "'" || letter === '`') at = closing(text, at, letter)
    else if (letter === '(') depth += 1
    else if (letter === ')') depth -= 1
    if ((letter === ',' && depth === 0) || depth < 0) {
      inner.push(text.slice(start, at).trim())
      start = at + 1
      if (depth < 0) break
    }
  }
  return { name: text.slice(0, open), inner }
}

const closing = (text: string, open: number, quote: string): number => {
  for (let at = open + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === quote) return at
  }
  return text.length
}

/** Elements of a tuple may have names: `name Type`, the name perhaps in backticks. */
const unnamed = (element: string): Type =>
  parseType(element.replace(/^(?:`(?:[^`\\]|\\.)*`|\w+)\s+(?=[A-Z])/, ''))

const point = 'Tuple(Float64, Float64)'
const aliases: Readonly<Record<string, string>> = {
  Point: point,
  Ring: `Array(${point})`,
  LineString: `Array(${point})`,
  Polygon: `Array(Array(${point}))`,
  MultiLineString: `Array(Array(${point}))`,
  MultiPolygon: `Array(Array(Array(${point})))`,
}
const widths: Readonly<Record<string, number>> = {
  UInt8: 1,
  UInt16: 2,
  UInt32: 4,
  UInt64: 8,
  UInt128: 16,
  UInt256: 32,
  Int8: 1,
  Int16: 2,
  Int32: 4,
  Int64: 8,
  Int128: 16,
  Int256: 32,
  BFloat16: 2,
  Float32: 4,
  Float64: 8,
  Bool: 1,
  Enum8: 1,
  Enum16: 2,
  Date: 2,
  Date32: 4,
  DateTime: 4,
  DateTime64: 8,
  Time: 4,
  Time64: 8,
  UUID: 16,
  IPv4: 4,
  IPv6: 16,
  Decimal32: 4,
  Decimal64: 8,
  Decimal128: 16,
  Decimal256: 32,
  Nothing: 1,
}

/** Bytes a row, for types of one width; undefined for others. */
const widthOf = ({ name, inner }: Type): number | undefined => {
  if (name === 'FixedString') return Number(inner[0])
  if (name.startsWith('Interval')) return 8
  if (name !== 'Decimal') return widths[name]
  const digits = Number(inner[0])
  return digits <= 9 ? 4 : digits <= 18 ? 8 : digits <= 38 ? 16 : 32
}

const argument = (type: Type, at: number): Type => parseType(type.inner[at] ?? '')
const resolved = (type: Type): Type => {
  if (type.name === 'SimpleAggregateFunction') return argument(type, 1)
  const alias = aliases[type.name]
  return alias === undefined ? type : parseType(alias)
}

/** What is written once before the rows of a column: the version of a low-cardinality dictionary. */
const skipPrefix = (reader: Reader, given: Type): void => {
  const type = resolved(given)
  if (type.name === 'LowCardinality') reader.skip(8)
  else if (type.name === 'Array' || type.name === 'Nullable') skipPrefix(reader, argument(type, 0))
  else if (type.name === 'Tuple' || type.name === 'Nested')
    for (const element of type.inner) skipPrefix(reader, unnamed(element))
  else if (type.name === 'Map') for (const element of type.inner) skipPrefix(reader, parseType(element))
}

const offsets = (reader: Reader, rows: number): number => {
  if (rows === 0) return 0
  reader.skip((rows - 1) * 8)
  return reader.uint64()
}

const skipDictionary = (reader: Reader, type: Type, rows: number): void => {
  if (rows === 0) return
  const width = 2 ** (reader.uint64() % 256)
  const inner = argument(type, 0)
  skipRows(reader, inner.name === 'Nullable' ? argument(inner, 0) : inner, reader.uint64())
  reader.skip(reader.uint64() * width)
}

const skipRows = (reader: Reader, given: Type, rows: number): void => {
  const type = resolved(given)
  const width = widthOf(type)
  if (width !== undefined) reader.skip(width * rows)
  else if (type.name === 'String') {
    for (let row = 0; row < rows; row += 1) reader.skip(reader.varint())
  } else if (type.name === 'LowCardinality') skipDictionary(reader, type, rows)
  else if (type.name === 'Nullable') {
    reader.skip(rows)
    skipRows(reader, argument(type, 0), rows)
  } else if (type.name === 'Array') skipRows(reader, argument(type, 0), offsets(reader, rows))
  else if (type.name === 'Tuple') for (const element of type.inner) skipRows(reader, unnamed(element), rows)
  else if (type.name === 'Map' || type.name === 'Nested') {
    const total = offsets(reader, rows)
    for (const element of type.inner)
      skipRows(reader, type.name === 'Map' ? parseType(element) : unnamed(element), total)
  } else {
    throw refusal(
      48,
      'NOT_IMPLEMENTED',
      `columns of type ${type.name} cannot be sent to this client; cast them, to String for example`,
    )
  }
}
