/**
 * The values of JSONata while a mapping runs, with the rules of its reference interpreter: what is missing is
 * `undefined`, and a sequence is a list that collapses to its only member, or to nothing, once an expression
 * is done.
 * https://docs.jsonata.org/processing
 */
export type Sequence = unknown[] & {
  sequence?: boolean
  keepSingleton?: boolean
  cons?: boolean
  outerWrapper?: boolean
}

/** What an expression sees besides its focus: the whole message, and what the reader binds. */
export interface Scope {
  readonly root: unknown
  readonly bound: Readonly<Record<string, unknown>>
}

type Evaluate = (focus: unknown, scope: Scope) => unknown

/**
 * A mapping's expression asked for something that its values do not allow; `code` is that of the interpreter.
 */
export class ValueError extends Error {
  readonly code: string
  readonly value: unknown
  constructor(code: string, message: string, value: unknown) {
    super(message)
    this.code = code
    this.value = value
  }
}

export const sequenceOf = (...members: unknown[]): Sequence => {
  const sequence: Sequence = members
  sequence.sequence = true
  return sequence
}

const sequential = (value: unknown): value is Sequence =>
  Array.isArray(value) && (value as Sequence).sequence === true

/** The end of every expression: a sequence of one is its member, and an empty one is nothing. */
export const done = (value: unknown): unknown => {
  if (!sequential(value)) return value
  if (value.length === 0) return undefined
  return value.length === 1 && value.keepSingleton !== true ? value[0] : value
}

/** The same for an expression that was marked with `[]`. */
export const kept = (value: unknown): unknown => {
  if (sequential(value)) value.keepSingleton = true
  return done(value)
}

/** `$`: a message that is a list is wrapped, so that it is one thing and not many. */
export const focusOf = (focus: unknown): unknown =>
  Array.isArray(focus) && (focus as Sequence).outerWrapper === true ? focus[0] : focus

/** A message as the outermost focus. */
export const wrapped = (message: unknown): unknown => {
  if (!Array.isArray(message)) return message
  const sequence = sequenceOf(message)
  sequence.outerWrapper = true
  return sequence
}

export const lookup = (focus: unknown, name: string): unknown => {
  if (Array.isArray(focus)) {
    const found = sequenceOf()
    for (const member of focus) {
      const value = lookup(member, name)
      if (value === undefined) continue
      if (Array.isArray(value)) for (const one of value) found.push(one)
      else found.push(value)
    }
    return found
  }
  if (focus === null || typeof focus !== 'object' || !Object.hasOwn(focus, name)) return undefined
  return (focus as Readonly<Record<string, unknown>>)[name]
}

export interface Step {
  readonly run: Evaluate
  /** A list in brackets, written as a step, is not flattened into its path. */
  readonly list: boolean
  readonly filters: readonly Filter[]
}

/** A predicate: a place in the list, or a condition on its members. */
type Filter = number | Evaluate

/** Walk a path. */
export const path = (
  focus: unknown,
  scope: Scope,
  steps: readonly Step[],
  absolute: boolean,
  keep: boolean,
): unknown => {
  let input: Sequence = Array.isArray(focus) && !absolute ? focus : sequenceOf(focus)
  let result: unknown = undefined
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i] as Step
    result = i === 0 && step.list ? step.run(input, scope) : walk(step, input, scope, i === steps.length - 1)
    if (result === undefined || (result as Sequence).length === 0) break
    input = result as Sequence
  }
  if (keep && Array.isArray(result)) {
    const list = result as Sequence
    if (list.cons === true && list.sequence !== true) result = sequenceOf(list)
    if (sequential(result)) result.keepSingleton = true
  }
  return done(result)
}

const walk = (step: Step, input: Sequence, scope: Scope, last: boolean): Sequence => {
  const results: unknown[] = []
  let nested = false
  for (const member of input) {
    let value = step.run(member, scope)
    for (const by of step.filters) value = filter(value, by, scope)
    if (value === undefined) continue
    if (Array.isArray(value)) nested = true
    results.push(value)
  }
  return flattened(results, nested, last)
}

const flattened = (results: unknown[], nested: boolean, last: boolean): Sequence => {
  if (!nested) {
    const sequence: Sequence = results
    sequence.sequence = true
    return sequence
  }
  if (last && results.length === 1 && Array.isArray(results[0]) && !sequential(results[0])) {
    return results[0] as Sequence
  }
  const flat = sequenceOf()
  for (const value of results) {
    if (!Array.isArray(value) || (value as Sequence).cons === true) flat.push(value)
    else for (const one of value) flat.push(one)
  }
  return flat
}

/** The last step of a path whose steps before were plain names, over what they led to. */
export const each = (found: unknown, run: Evaluate, scope: Scope): unknown => {
  if (found === undefined) return undefined
  if (!Array.isArray(found)) {
    const value = run(found, scope)
    return Array.isArray(value) ? done(flattened([value], true, true)) : value
  }
  const results: Sequence = []
  let nested = false
  for (let i = 0; i < found.length; i++) {
    const value = run(found[i], scope)
    if (value === undefined) continue
    if (Array.isArray(value)) nested = true
    results.push(value)
  }
  if (nested) return done(flattened(results, true, true))
  if (results.length < 2) return results[0]
  results.sequence = true
  return results
}

/** Keep the members that a predicate chooses. */
export const filter = (value: unknown, by: Filter, scope: Scope): unknown => {
  const list = Array.isArray(value) ? value : [value]
  if (typeof by === 'number') {
    const index = Math.floor(by)
    const member: unknown = list[index < 0 ? list.length + index : index]
    if (Array.isArray(member)) return member
    return member === undefined ? sequenceOf() : sequenceOf(member)
  }
  const results = sequenceOf()
  for (let i = 0; i < list.length; i++) {
    const answer = by(list[i], scope)
    const places = numeric(answer) ? [answer] : placesOf(answer)
    if (places === undefined) {
      if (truth(answer)) results.push(list[i])
      continue
    }
    for (const place of places) {
      const index = Math.floor(place)
      if ((index < 0 ? list.length + index : index) === i) results.push(list[i])
    }
  }
  return results
}

const placesOf = (answer: unknown): readonly number[] | undefined =>
  Array.isArray(answer) && answer.every(numeric) ? answer : undefined

/** `$[n]` where the focus is at hand. */
export const at = (value: unknown, index: number): unknown => {
  if (!Array.isArray(value)) return index === 0 || index === -1 ? value : undefined
  const member: unknown = value[index]
  if (member !== undefined && !Array.isArray(member)) return member
  return done(filter(value, index, NOTHING))
}

/** `$[n]`: the focus is nearly always a plain list, such as a level of a book. */
export const place = (focus: unknown, index: number): unknown => {
  if (Array.isArray(focus) && (focus as Sequence).sequence !== true) {
    const member: unknown = focus[index]
    if (member !== undefined && !Array.isArray(member)) return member
  }
  return at(done(focusOf(focus)), index)
}

const NOTHING: Scope = { root: undefined, bound: {} }

/** A number that is not NaN; an infinite one ends the mapping, as JSON has none. */
export const numeric = (value: unknown): value is number => {
  if (typeof value !== 'number' || Number.isNaN(value)) return false
  if (!Number.isFinite(value)) throw new ValueError('D1001', 'a number is out of range', value)
  return true
}

export const truth = (value: unknown): boolean | undefined => {
  if (value === undefined) return undefined
  if (typeof value === 'boolean') return value
  if (Array.isArray(value)) {
    return value.length === 1 ? truth(value[0]) : value.some((one) => truth(one) === true)
  }
  if (typeof value === 'string') return value.length > 0
  if (typeof value === 'number') return numeric(value) && value !== 0
  return value !== null && Object.keys(value).length > 0
}

export const append = (list: unknown, more: unknown): unknown => {
  if (list === undefined) return more
  if (more === undefined) return list
  return (Array.isArray(list) ? list : [list]).concat(Array.isArray(more) ? more : [more])
}

/** A list in brackets: of a list in brackets the list itself, of anything else the members. */
export const list = (parts: readonly unknown[], brackets: readonly boolean[], cons: boolean): unknown => {
  let result: unknown[] = []
  parts.forEach((part, i) => {
    if (part === undefined) return
    if (brackets[i] === true) result.push(part)
    else result = append(result, part) as unknown[]
  })
  if (cons) Object.defineProperty(result, 'cons', { enumerable: false, value: true })
  return result
}

/** An object in braces over a focus that is a list: all its members are the focus of each value, together. */
export const gathered = (focus: readonly unknown[]): unknown => {
  let together: unknown = focus[0]
  for (let i = 1; i < focus.length; i++) together = append(together, focus[i])
  return together
}
