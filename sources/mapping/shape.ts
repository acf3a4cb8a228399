/**
 * What the messages of a channel look like: the keys in their order and the kinds of their values. Messages
 * of one shape differ only in the values.
 */
export type Shape = Leaf | Members | Listing | Tuple

/** A value without parts. */
export interface Leaf {
  readonly kind: 'text' | 'number' | 'flag' | 'null'
  /** How the example has it, without quotes. */
  readonly example: string
}

/** An object. */
export interface Members {
  readonly kind: 'object'
  readonly members: readonly Member[]
}

/** `optional`: some messages of the shape leave it out. */
export type Member = readonly [key: string, value: Shape, optional?: boolean | undefined]

/** A list of any length whose members are all alike; nothing is known of them where the example has none. */
export interface Listing {
  readonly kind: 'list'
  readonly of: Shape | undefined
}

/** A list of so many leaves. */
export interface Tuple {
  readonly kind: 'tuple'
  readonly of: readonly Leaf[]
}

/** Why a message has no shape to learn. */
export class Shapeless extends Error {}

const COMMA = 0x2c
const PLAIN_MIN = 0x20
const PLAIN_MAX = 0x7e
const TEXT_MAX = 10_000
/** What is deeper or wider than this is no message that comes again and again. */
const DEPTH_MAX = 32
const PARTS_MAX = 256

/**
 * The shape of a message. Only what venues send day by day has one: JSON without blanks, escapes, or anything
 * but plain ASCII. Throws Shapeless.
 */
export const shapeOf = (bytes: Uint8Array): Shape => {
  const reader = new Learner(bytes)
  const shape = reader.value()
  if (reader.at !== bytes.length) throw new Shapeless('something follows the message')
  return shape
}

/** What two messages of one shape have in common, as a text. */
export const shapeKey = (shape: Shape): string => {
  switch (shape.kind) {
    case 'object':
      return `{${shape.members.map(memberKey).join()}}`
    case 'list':
      return `[${shape.of === undefined ? '' : shapeKey(shape.of)}]`
    case 'tuple':
      return `(${shape.of.map(shapeKey).join('')})`
    default:
      return shape.kind.charAt(0)
  }
}

const memberKey = ([key, value, may]: Member): string =>
  `${keyText(key)}${may === true ? '?' : ''}:${shapeKey(value)}`

/** How many keys and values a shape has. */
export const sizeOf = (shape: Shape): number => {
  switch (shape.kind) {
    case 'object':
      return shape.members.reduce((size, [, value]) => size + 1 + sizeOf(value), 1)
    case 'list':
      return 1 + (shape.of === undefined ? 0 : sizeOf(shape.of))
    case 'tuple':
      return 1 + shape.of.length
    default:
      return 1
  }
}

/**
 * The shape of messages that say only what changed: of an object within the message, all plain values but the
 * first may be left out.
 */
export const patchOf = (shape: Shape, depth = 0): Shape => {
  if (shape.kind !== 'object') return shape
  const members = shape.members.map(([key, value], at): Member => {
    const may = depth > 0 && at > 0 && leaf(value) && value.kind !== 'null'
    return [key, patchOf(value, depth + 1), may]
  })
  return { kind: 'object', members }
}

/** The shape that takes what each of two takes; undefined when no order of keys does. */
export const joined = (one: Shape, other: Shape): Shape | undefined => {
  if (one.kind !== 'object' || other.kind !== 'object')
    return shapeKey(one) === shapeKey(other) ? one : undefined
  const members: Member[] = []
  let at = 0
  for (const member of [...other.members, undefined]) {
    const key = member?.[0]
    const found = key === undefined ? one.members.length : one.members.findIndex(([known]) => known === key)
    if (member !== undefined && found < 0) {
      if (member[2] !== true) return undefined
      members.push(member)
      continue
    }
    const left = one.members.slice(at, found)
    if (found < at || left.some(([, , may]) => may !== true)) return undefined
    members.push(...left)
    at = found + 1
    if (member === undefined) break
    const [, value, may] = one.members[found]!
    const both = joined(value, member[1])
    if (both === undefined) return undefined
    members.push([member[0], both, may])
  }
  return { kind: 'object', members }
}

/** The values that messages of a shape may leave out. */
export const optionalOf = (shape: Shape): ReadonlySet<Leaf> => {
  if (shape.kind !== 'object') return new Set()
  return new Set(
    shape.members.flatMap(([, value, may]) =>
      may === true && leaf(value) ? [value] : [...optionalOf(value)],
    ),
  )
}

/** Nearly all keys are words, and stand as they are. */
const keyText = (key: string): string => (/^\w+$/.test(key) ? key : JSON.stringify(key))

class Learner {
  at = 0
  #depth = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  value(): Shape {
    switch (this.#byte()) {
      case 0x7b:
        return this.#within(() => this.#object())
      case 0x5b:
        return this.#within(() => this.#list())
      case 0x22:
        return { kind: 'text', example: this.#text() }
      default:
        return this.#word()
    }
  }

  #within<T>(read: () => T): T {
    if (++this.#depth > DEPTH_MAX) throw new Shapeless('it is deep')
    const value = read()
    this.#depth--
    return value
  }

  #object(): Members {
    const members: (readonly [string, Shape])[] = []
    this.at++
    while (this.#byte() !== 0x7d) {
      if (members.length > 0) this.#expect(COMMA)
      const key = this.#text()
      if (members.some(([known]) => known === key)) throw new Shapeless('a key stands twice')
      this.#expect(0x3a)
      members.push([key, this.value()])
      if (members.length > PARTS_MAX) throw new Shapeless('an object has many keys')
    }
    this.at++
    return { kind: 'object', members }
  }

  #list(): Listing | Tuple {
    const found: Shape[] = []
    this.at++
    while (this.#byte() !== 0x5d) {
      if (found.length > 0) this.#expect(COMMA)
      found.push(this.value())
    }
    this.at++
    if (found.length > 0 && found.every(leaf)) {
      if (found.length > PARTS_MAX) throw new Shapeless('a list has many plain members')
      return { kind: 'tuple', of: found }
    }
    if (new Set(found.map(shapeKey)).size > 1) throw new Shapeless('the members of a list differ')
    return { kind: 'list', of: found[0] }
  }

  #word(): Leaf {
    const from = this.at
    while (this.at < this.#bytes.length && !ENDS.has(this.#bytes[this.at]!)) this.at++
    const word = this.#said(from, this.at)
    if (word === 'true' || word === 'false') return { kind: 'flag', example: word }
    if (word === 'null') return { kind: 'null', example: word }
    if (!NUMBER.test(word)) throw new Shapeless('it is not plain JSON')
    return { kind: 'number', example: word }
  }

  #text(): string {
    this.#expect(0x22)
    const from = this.at
    while (this.#byte() !== 0x22) {
      const byte = this.#byte()
      if (byte < PLAIN_MIN || byte > PLAIN_MAX || byte === 0x5c) throw new Shapeless('a text is not plain')
      this.at++
    }
    this.at++
    return this.#said(from, this.at - 1)
  }

  #said(from: number, to: number): string {
    if (to - from > TEXT_MAX) throw new Shapeless('a text is long')
    return String.fromCharCode(...this.#bytes.subarray(from, to))
  }

  #byte(): number {
    const byte = this.#bytes[this.at]
    if (byte === undefined) throw new Shapeless('it is cut off')
    return byte
  }

  #expect(byte: number): void {
    if (this.#byte() !== byte) throw new Shapeless('it is not plain JSON')
    this.at++
  }
}

const leaf = (shape: Shape): shape is Leaf =>
  shape.kind !== 'object' && shape.kind !== 'list' && shape.kind !== 'tuple'
const ENDS: ReadonlySet<number> = new Set([COMMA, 0x5d, 0x7d])
const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$/
