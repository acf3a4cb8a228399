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
  /** What stands behind a beginning that is the same in all messages. */
  | { readonly is: 'tail'; readonly leaf: Leaf; readonly from: number }
  | Amount
  | Test
  | { readonly is: 'either'; readonly test: Test; readonly yes: Value; readonly no: Value }
  | { readonly is: 'part'; readonly shape: Members | Listing | Tuple }
  | { readonly is: 'object'; readonly fields: ReadonlyMap<string, Value> }
  /** A value for each member of a list. */
  | { readonly is: 'each'; readonly list: Listing; readonly value: Value }
  /** The symbol that the message answers for. */
  | { readonly is: 'asked' }

/** A number, as code, and what is known of its magnitude. */
export interface Amount {
  readonly is: 'number'
  readonly code: string
  /** It is surely not beyond this; Infinity: it may even be no number. */
  readonly most: number
  /** It is surely not nearer to zero than this. */
  readonly least: number
}

export type Constant = string | number | boolean | null | undefined

/**
 * A condition, as code; and how it comes out for the example, where the leaves that it depends on can be
 * pinned to that.
 */
export interface Test {
  readonly is: 'test'
  readonly code: string
  readonly leaves: readonly Leaf[] | undefined
  readonly example: boolean
  /** A text that is not empty where the test comes out so. */
  readonly filled?: { readonly leaf: Leaf; readonly when: boolean }
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

/** What stands in a value as it stands in the message. */
export const leavesOf = (value: Value): readonly Leaf[] => {
  if (value.is === 'leaf' || value.is === 'text' || value.is === 'tail') return [value.leaf]
  return value.is === 'either' ? [...leavesOf(value.yes), ...leavesOf(value.no)] : []
}

/** Numbers are read of up to fifteen digits. */
export const READ_MAX = 1e15

/** The most that arithmetic may come to; Infinity: it may be no number. */
export const mostOf = (sign: string, left: Amount, right: Amount): number => {
  switch (sign) {
    case '*':
      return left.most * right.most
    case '/':
      return right.least > 0 ? left.most / right.least : Infinity
    case '%':
      return right.least > 0 ? left.most : Infinity
    default:
      return left.most + right.most
  }
}

export const not = (test: Test): Test => ({
  is: 'test',
  code: `!${test.code}`,
  leaves: test.leaves,
  example: !test.example,
})

export const CUTS: ReadonlySet<string> = new Set(['substringBefore', 'substringAfter'])
/** A text that is a number without a doubt. */
export const WHOLE = /^(0|[1-9][0-9]{0,14})$/
export const ARITHMETIC: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%'])
export const COMPARISONS: ReadonlySet<string> = new Set(['<', '<=', '>', '>='])

/** What the reader binds and a scanner is told; as a number it is exact. */
export const BOUND: ReadonlyMap<string, Value> = new Map([
  ['received', { is: 'number', code: 'R', most: 2 ** 53, least: 0 }],
  ['limit', { is: 'number', code: 'H', most: 2 ** 31, least: 0 }],
  ['symbol', { is: 'asked' }],
])
