import type { Leaf, Listing, Members, Shape, Tuple } from './shape.ts'

/**
 * What an expression comes to over a message of which only the shape is known: a constant, a value that the
 * scanner reads off the bytes, or arithmetic and choices over such.
 */
export type Value =
  | { readonly is: 'constant'; readonly value: Constant }
  | { readonly is: 'leaf'; readonly leaf: Leaf }
  /** The digits of a whole number, or a text, as they stand in the message. */
  | { readonly is: 'text'; readonly leaf: Leaf }
  | { readonly is: 'number'; readonly code: string }
  | Test
  | { readonly is: 'either'; readonly test: Test; readonly yes: Value; readonly no: Value }
  | { readonly is: 'part'; readonly shape: Members | Listing | Tuple }
  | { readonly is: 'object'; readonly fields: ReadonlyMap<string, Value> }
  /** A value for each member of a list. */
  | { readonly is: 'each'; readonly list: Listing; readonly value: Value }

export type Constant = string | number | boolean | null | undefined

/**
 * A condition, as code; and how it comes out for the example, where the leaves that it depends on can be pinned
 * to that.
 */
export interface Test {
  readonly is: 'test'
  readonly code: string
  readonly leaves: readonly Leaf[] | undefined
  readonly example: boolean
}

/** What a leaf is read for. */
export interface Use {
  readonly name: string
  number: boolean
  /** Where it begins and ends. */
  text: boolean
  flag: boolean
  /** Only messages that have what the example has are of the template. */
  pinned: boolean
  /** A number in quotes that may have no digits. */
  empty: boolean
}

/** Why a mapping cannot be scanned. */
export class Unscannable extends Error {}

export const NOTHING: Value = { is: 'constant', value: undefined }
export const constant = (value: Constant): Value => ({ is: 'constant', value })

export const partOf = (shape: Shape): Value =>
  shape.kind === 'object' || shape.kind === 'list' || shape.kind === 'tuple'
    ? { is: 'part', shape }
    : { is: 'leaf', leaf: shape }

export const undefinedly = (value: Value): boolean => value.is === 'constant' && value.value === undefined
export const valueOf = (test: Test | boolean): Value => (typeof test === 'boolean' ? constant(test) : test)

/** What is done to a choice is done to both of its sides. */
export const lift = (value: Value, make: (one: Value) => Value): Value =>
  value.is === 'either' ? { ...value, yes: lift(value.yes, make), no: lift(value.no, make) } : make(value)
