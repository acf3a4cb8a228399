import { describe, expect, test } from 'vitest'
import { snake } from '../../graph/schema.ts'
import type { AnySchema, Kind } from '../../graph/schema.ts'
import { columnParquetOf } from '../../sinks/driver/parquet-columns.ts'
import { batchOf, everyKind, randomRows, valuesOf } from './parquet-world.ts'

type Struct = Readonly<Record<number, unknown>>

/** Thrift's compact protocol, read without knowing what is in it: fields by their id. */
class Thrift {
  at: number
  readonly bytes: Buffer

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  struct(): Struct {
    const fields: Record<number, unknown> = {}
    for (let id = 0; ;) {
      const head = this.bytes[this.at++]!
      if (head === 0) return fields
      id = head >> 4 === 0 ? this.#zigzag() : id + (head >> 4)
      fields[id] = this.#value(head & 15)
    }
  }

  #varint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at++]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  #zigzag(): number {
    const value = this.#varint()
    return Number((value >> 1n) ^ -(value & 1n))
  }

  #value(type: number): unknown {
    if (type <= 2) return type === 1
    if (type === 3) return this.bytes.readInt8(this.at++)
    if (type <= 6) return this.#zigzag()
    if (type === 8) {
      const size = Number(this.#varint())
      this.at += size
      return this.bytes.subarray(this.at - size, this.at)
    }
    if (type === 12) return this.struct()
    expect(type).toBe(9)
    const head = this.bytes[this.at++]!
    const count = head >> 4 === 15 ? Number(this.#varint()) : head >> 4
    return Array.from({ length: count }, () =>
      (head & 15) <= 2 ? this.bytes[this.at++] === 1 : this.#value(head & 15),
    )
  }
}

const footerOf = (file: Buffer): Struct =>
  new Thrift(file, file.length - 8 - file.readUInt32LE(file.length - 8)).struct()

const listOf = (of: unknown): readonly Struct[] => of as readonly Struct[]

/** A bound as a value, by the column's kind. */
const bound = (bytes: unknown, kind: Kind): unknown => {
  const it = bytes as Buffer
  if (kind === 'flag') return it[0] === 1
  if (kind === 'int') return it.readInt32LE()
  if (kind === 'float' || kind === 'floats') return it.readDoubleLE()
  return kind === 'count' || kind === 'micros' ? it.readBigInt64LE() : String(it)
}

/** The least and the greatest, found the slow way; none where the rules have none. */
const truth = (all: readonly unknown[], kind: Kind): readonly [unknown, unknown] | undefined => {
  const values = all.flat().filter((value) => value !== null) as (number | bigint | string | boolean)[]
  if (values.length === 0 || values.some((value) => Number.isNaN(value))) return undefined
  const text = typeof values[0] === 'string'
  const sorted = [...new Set(values)].sort((a, b) =>
    text ? Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))) : a < b ? -1 : a > b ? 1 : 0,
  )
  const [low, high] = [sorted[0]!, sorted.at(-1)!]
  if (text && [low, high].some((one) => Buffer.byteLength(String(one)) > 64)) return undefined
  return kind === 'float' || kind === 'floats' ? [low === 0 ? -0 : low, high === 0 ? 0 : high] : [low, high]
}

const SHAPES: Readonly<Record<string, number>> = { few: 400, pages: 140_000 }

describe.each(Object.entries(SHAPES))('the footer of a file of %s (%i rows)', (name, rows) => {
  const kinds: readonly Kind[] =
    name === 'few' ? everyKind.columns.map(({ kind }) => kind) : ['int', 'micros', 'float', 'name', 'flag']
  const columns = everyKind.columns.filter(({ kind }) => kinds.includes(kind))
  const schema: AnySchema = { ...everyKind, columns }
  const seeds = name === 'few' ? [1, 2, 3, 4, 5, 6, 7, 8] : [2]

  test.each(seeds)('bounds every chunk and page by what is in it, and says where it is (seed %i)', (seed) => {
    const batch = batchOf(schema, randomRows(schema, rows, seed), 5000)
    const values = valuesOf(batch)
    const file = Buffer.from(columnParquetOf(batch, {}))
    const footer = footerOf(file)
    expect(footer[3]).toBe(rows)
    let row = 0
    for (const group of listOf(footer[4])) {
      const sorted = batch.columns.findIndex(({ column }) => column.name === '_off')
      expect(listOf(group[4]).map((by) => by[1])).toEqual([sorted, sorted + 1])
      listOf(group[1]).forEach((chunk, i) => {
        const { column } = batch.columns[i]!
        const all = values[snake(column.name)]!.slice(row, row + Number(group[3]))
        checkChunk(file, chunk, column.kind, all, `${column.name} of seed ${seed}`)
      })
      row += Number(group[3])
    }
    expect(row).toBe(rows)
  })
})

const missingOf = (values: readonly unknown[], kind: Kind): number =>
  values.filter((value) => value === null || (kind === 'floats' && (value as unknown[]).length === 0)).length

function checkChunk(file: Buffer, chunk: Struct, kind: Kind, all: readonly unknown[], where: string): void {
  const meta = chunk[3] as Struct
  const stats = meta[12] as Struct
  expect(stats[3], where).toBe(missingOf(all, kind))
  const wanted = truth(all, kind)
  expect(stats[6] === undefined ? undefined : [bound(stats[6], kind), bound(stats[5], kind)], where).toEqual(
    wanted,
  )
  const places = listOf(new Thrift(file, Number(chunk[4])).struct()[1])
  expect(places[0]![1]).toBe(meta[9])
  const firsts = places.map((place) => Number(place[3]))
  const pages = firsts.map((first, i) => all.slice(first, firsts[i + 1]))
  let size = meta[11] === undefined ? 0 : Number(meta[9]) - Number(meta[11])
  places.forEach((place, i) => {
    const head = new Thrift(file, Number(place[1]))
    const page = head.struct()
    expect(head.at - Number(place[1]) + Number(page[3]), where).toBe(place[2])
    const levels = kind === 'floats' ? pages[i]!.flatMap((one) => (one as unknown[]).length || 1) : []
    const count = kind === 'floats' ? levels.reduce((a, b) => a + b, 0) : pages[i]!.length
    expect((page[5] as Struct)[1], where).toBe(count)
    size += Number(place[2])
  })
  expect(meta[7], where).toBe(size)
  checkIndex(
    chunk[6] === undefined ? undefined : new Thrift(file, Number(chunk[6])).struct(),
    kind,
    pages,
    where,
  )
}

function checkIndex(
  index: Struct | undefined,
  kind: Kind,
  pages: readonly (readonly unknown[])[],
  where: string,
): void {
  const wanted = pages.map((page) => truth(page, kind))
  const empty = pages.map((page) => missingOf(page, kind) === page.length)
  if (index === undefined) {
    if (kind !== 'floats')
      expect(
        wanted.some((one, i) => one === undefined && !empty[i]),
        where,
      ).toBe(true)
    return
  }
  expect(index[1], where).toEqual(empty)
  expect(index[5], where).toEqual(pages.map((page) => missingOf(page, kind)))
  const found = empty.map((none, i) =>
    none
      ? undefined
      : [(index[2] as unknown[])[i], (index[3] as unknown[])[i]].map((one) => bound(one, kind)),
  )
  expect(found, where).toEqual(wanted)
  if (typeof wanted[0]?.[0] === 'string') return
  const known = wanted.filter((one) => one !== undefined) as unknown as readonly [number, number][]
  const rising = known.every(
    (one, i) => i === 0 || (one[0] >= known[i - 1]![0] && one[1] >= known[i - 1]![1]),
  )
  const falling = known.every(
    (one, i) => i === 0 || (one[0] <= known[i - 1]![0] && one[1] <= known[i - 1]![1]),
  )
  expect(index[4], where).toBe(rising ? 1 : falling ? 2 : 0)
}
