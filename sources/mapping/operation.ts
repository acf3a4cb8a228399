import { text } from './function.ts'
import { numeric, truth, ValueError } from './value.ts'

const check = (left: unknown, right: unknown): boolean => {
  if (left !== undefined && !numeric(left)) {
    throw new ValueError('T2001', 'the left side of arithmetic is not a number', left)
  }
  if (right !== undefined && !numeric(right)) {
    throw new ValueError('T2002', 'the right side of arithmetic is not a number', right)
  }
  return left !== undefined && right !== undefined
}

type Operation = (left: unknown, right: unknown) => unknown

/** Arithmetic: nothing comes of a side that is missing. */
const arithmetic =
  (compute: (left: number, right: number) => number): Operation =>
  (left, right) =>
    check(left, right) ? compute(left as number, right as number) : undefined

/** Times are milliseconds in nearly every message, so that this one is worth its own. */
const times: Operation = (left, right) => {
  if (
    typeof left === 'number' &&
    typeof right === 'number' &&
    Number.isFinite(left) &&
    Number.isFinite(right)
  ) {
    return left * right
  }
  return check(left, right) ? (left as number) * (right as number) : undefined
}

const ordered = (value: unknown): boolean =>
  value === undefined || typeof value === 'string' || typeof value === 'number'

const comparison =
  (holds: (left: number, right: number) => boolean) =>
  (left: unknown, right: unknown): unknown => {
    if (!ordered(left) || !ordered(right)) {
      throw new ValueError('T2010', 'only numbers and texts can be compared', ordered(left) ? right : left)
    }
    if (left === undefined || right === undefined) return undefined
    if (typeof left !== typeof right) {
      throw new ValueError('T2009', 'a number cannot be compared with a text', left)
    }
    return holds(left as number, right as number)
  }

const equal = (left: unknown, right: unknown): boolean => {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((one, i) => equal(one, right[i]))
  }
  // JSONata compares a list with an object by all their own names, so that [] is not {}.
  const [mine, theirs] = [Object.getOwnPropertyNames(left), Object.getOwnPropertyNames(right)]
  const [here, there] = [left as Record<string, unknown>, right as Record<string, unknown>]
  return (
    mine.length === theirs.length &&
    mine.every((name) => Object.hasOwn(there, name) && equal(here[name], there[name]))
  )
}

const missing = (left: unknown, right: unknown): boolean => left === undefined || right === undefined

/** The operators of JSONata that take both their sides as values. */
export const operations: Readonly<Record<string, (left: unknown, right: unknown) => unknown>> = Object.freeze(
  {
    '+': arithmetic((left, right) => left + right),
    '-': arithmetic((left, right) => left - right),
    '*': times,
    '/': arithmetic((left, right) => left / right),
    '%': arithmetic((left, right) => left % right),
    '<': comparison((left, right) => left < right),
    '<=': comparison((left, right) => left <= right),
    '>': comparison((left, right) => left > right),
    '>=': comparison((left, right) => left >= right),
    '=': (left, right) => !missing(left, right) && equal(left, right),
    '!=': (left, right) => !missing(left, right) && !equal(left, right),
    '&': (left, right) => (text(left) ?? '') + (text(right) ?? ''),
    in: (left, right) => !missing(left, right) && (Array.isArray(right) ? right : [right]).includes(left),
  },
)

/** Both sides as truths: what is missing is false. */
export const holds = (value: unknown): boolean => value === true || (value !== false && truth(value) === true)

export const negative = (value: unknown): unknown => {
  if (value === undefined) return undefined
  if (!numeric(value)) throw new ValueError('D1002', 'only a number can be negated', value)
  return -value
}
