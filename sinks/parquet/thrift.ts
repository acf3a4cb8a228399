import type { Bytes } from './bytes.ts'

const TRUE = 1
const FALSE = 2
const BYTE = 3
const INT16 = 4
const INT32 = 5
const INT64 = 6
const BINARY = 8
const LIST = 9
const STRUCT = 12

const encoder = new TextEncoder()

/**
 * Writes Thrift's compact protocol, in which Parquet has its footer and the heads of its pages. Fields are
 * written in the order of their ids; `struct` and `structs` nest.
 *
 * @see https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
export class Compact {
  readonly #out: Bytes
  #last = 0

  constructor(out: Bytes) {
    this.#out = out
  }

  /** A struct that is nobody's field. */
  whole(fill: () => void): void {
    const last = this.#last
    this.#last = 0
    fill()
    this.#out.put(0)
    this.#last = last
  }

  flag(id: number, on: boolean): void {
    this.#head(id, on ? TRUE : FALSE)
  }

  int8(id: number, value: number): void {
    this.#head(id, BYTE)
    this.#out.put(value)
  }

  int16(id: number, value: number): void {
    this.#head(id, INT16)
    this.#out.zigzag(value)
  }

  int32(id: number, value: number): void {
    this.#head(id, INT32)
    this.#out.zigzag(value)
  }

  int64(id: number, value: number): void {
    this.#head(id, INT64)
    this.#out.zigzag(value)
  }

  bytes(id: number, value: Uint8Array): void {
    this.#head(id, BINARY)
    this.#binary(value)
  }

  text(id: number, value: string): void {
    this.bytes(id, encoder.encode(value))
  }

  struct(id: number, fill: () => void): void {
    this.#head(id, STRUCT)
    this.whole(fill)
  }

  structs(id: number, count: number, fill: (at: number) => void): void {
    this.#list(id, STRUCT, count)
    for (let at = 0; at < count; at++) this.whole(() => fill(at))
  }

  int32s(id: number, values: readonly number[]): void {
    this.#list(id, INT32, values.length)
    for (const value of values) this.#out.zigzag(value)
  }

  int64s(id: number, values: readonly number[]): void {
    this.#list(id, INT64, values.length)
    for (const value of values) this.#out.zigzag(value)
  }

  flags(id: number, values: readonly boolean[]): void {
    this.#list(id, TRUE, values.length)
    for (const value of values) this.#out.put(value ? TRUE : FALSE)
  }

  binaries(id: number, values: readonly Uint8Array[]): void {
    this.#list(id, BINARY, values.length)
    for (const value of values) this.#binary(value)
  }

  texts(id: number, values: readonly string[]): void {
    this.binaries(
      id,
      values.map((value) => encoder.encode(value)),
    )
  }

  #binary(value: Uint8Array): void {
    this.#out.varint(value.length)
    this.#out.set(value)
  }

  #list(id: number, type: number, count: number): void {
    this.#head(id, LIST)
    if (count < 15) {
      this.#out.put((count << 4) | type)
      return
    }
    this.#out.put(0xf0 | type)
    this.#out.varint(count)
  }

  /** A field's id is told by how far it lies from the one before it. */
  #head(id: number, type: number): void {
    const step = id - this.#last
    if (step > 0 && step < 16) this.#out.put((step << 4) | type)
    else {
      this.#out.put(type)
      this.#out.zigzag(id)
    }
    this.#last = id
  }
}
