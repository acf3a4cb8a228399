import { append, focusOf, lookup, numeric, sequenceOf, truth, ValueError } from './value.ts'
import type { Sequence } from './value.ts'

/** How many numbers had more digits than a double holds; they are kept as the nearest double. */
export interface Tally {
  long: number
}

const wrong = (code: string, value: unknown): never => {
  throw new ValueError(
    code,
    `${code === 'D3030' ? 'this is not a number' : 'a value has another type than the expression needs'}`,
    value,
  )
}

const textual = (value: unknown): string | undefined =>
  value === undefined || typeof value === 'string' ? value : wrong('T0410', value)
const numerical = (value: unknown): number | undefined =>
  value === undefined || typeof value === 'number' ? value : wrong('T0410', value)
const numbers = (value: unknown): readonly number[] | undefined => {
  if (value === undefined) return undefined
  const all: readonly unknown[] = Array.isArray(value) ? value : [value]
  return all.every((one) => typeof one === 'number') ? (all as readonly number[]) : wrong('T0412', value)
}

const DECIMAL = /^-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?$/
const OTHER_BASE = /^(0[xX][0-9A-Fa-f]+)|(0[oO][0-7]+)|(0[bB][0-1]+)$/

const digits = (decimal: string): number =>
  decimal
    .replace(/[Ee].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '')
    .replace(/0+$/, '').length

/** Digits, with a point between some of them: what nearly all numbers of venues are. */
const plain = (decimal: string): boolean => {
  let point = false
  const last = decimal.length - 1
  for (let i = 0; i <= last; i++) {
    const unit = decimal.charCodeAt(i)
    if (unit >= 0x30 && unit <= 0x39) continue
    if (unit !== 0x2e || point || i === 0 || i === last) return false
    point = true
  }
  return last >= 0
}

/** `$number`: exact where the text has at most 15 digits, and counted where it has more. */
export const toNumber = (value: unknown, tally: Tally): unknown => {
  if (typeof value === 'string') {
    const number = +value
    if ((plain(value) || DECIMAL.test(value)) && Number.isFinite(number)) {
      if (value.length > 15 && digits(value) > 15) tally.long += 1
      return number
    }
    return OTHER_BASE.test(value) ? number : wrong('D3030', value)
  }
  if (value === undefined || typeof value === 'number') return value
  return typeof value === 'boolean' ? Number(value) : wrong('T0410', value)
}

const rounded = (value: number, precision: number): number => {
  const shifted = (of: number, by: number): number => {
    const [mantissa = '', exponent = '0'] = of.toString().split('e')
    return Number(`${mantissa}e${Number(exponent) + by}`)
  }
  const exact = precision === 0 ? value : shifted(value, precision)
  let result = Math.round(exact)
  if (Math.abs(result - exact) === 0.5 && Math.abs(result % 2) === 1) result -= 1
  if (precision !== 0) result = shifted(result, -precision)
  return Object.is(result, -0) ? 0 : result
}

const json = (_: string, value: unknown): unknown =>
  typeof value === 'number' && numeric(value) && !Number.isInteger(value)
    ? Number(value.toPrecision(15))
    : value

/** `$string`, which is also what `&` does to its sides. */
export const text = (value: unknown): string | undefined => {
  if (typeof value === 'string' || value === undefined) return value
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return wrong('D3001', value)
    if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value === 0 ? 0 : value)
  }
  return JSON.stringify(focusOf(value), json)
}

/**
 * A function of the library that mappings may call: how many arguments it takes, and what it does with them.
 */
export interface Builtin {
  readonly min: number
  readonly max: number
  /** It may stand without arguments, and then takes the focus. */
  readonly focus: boolean
  readonly call: (args: readonly unknown[], tally: Tally) => unknown
}

type Call = Builtin['call']
const of1 = (call: Call, max = 1): Builtin => ({ min: 1, max, focus: true, call })
const given = (min: number, max: number, call: Call): Builtin => ({ min, max, focus: false, call })
const whenText = (value: unknown, make: (text: string) => unknown): unknown => {
  const of = textual(value)
  return of === undefined ? undefined : make(of)
}
const whenNumber = (value: unknown, make: (number: number) => unknown): unknown => {
  const of = numerical(value)
  return of === undefined ? undefined : make(of)
}
const cut = (whole: string, mark: unknown, after: boolean): string => {
  const by = String(textual(mark))
  const place = whole.indexOf(by)
  if (place < 0) return whole
  return after ? whole.slice(place + by.length) : whole.slice(0, place)
}

const substring: Call = ([whole, from, length]) =>
  whenText(whole, (of) => {
    const letters = Array.from(of)
    let start = Number(numerical(from))
    const size = numerical(length)
    if (letters.length + start < 0) start = 0
    if (size === undefined) return letters.slice(start).join('')
    if (size <= 0) return ''
    return letters.slice(start, start >= 0 ? start + size : letters.length + start + size).join('')
  })

const split: Call = ([whole, mark, most]) =>
  whenText(whole, (of) => {
    const limit = numerical(most)
    if (limit !== undefined && limit < 0) return wrong('D3020', limit)
    return of.split(String(textual(mark)), limit === undefined ? undefined : Math.floor(limit))
  })

const merge: Call = ([value]) => {
  if (value === undefined) return undefined
  const all: readonly unknown[] = Array.isArray(value) ? value : [value]
  for (const one of all) {
    if (one === null || typeof one !== 'object' || Array.isArray(one)) wrong('T0412', value)
  }
  return Object.assign({}, ...all) as unknown
}

const keys = (value: unknown): unknown => {
  const names = new Set<string>()
  const gather = (of: unknown): void => {
    if (Array.isArray(of)) of.forEach(gather)
    else if (of !== null && typeof of === 'object') for (const name of Object.keys(of)) names.add(name)
  }
  gather(value)
  return sequenceOf(...names)
}

const joined: Call = ([value, mark]) => {
  if (value === undefined) return undefined
  const all: readonly unknown[] = Array.isArray(value) ? value : [value]
  for (const one of all) if (typeof one !== 'string') wrong('T0412', value)
  return all.join(textual(mark) ?? '')
}

const extreme =
  (choose: (...all: number[]) => number): Call =>
  ([value]) => {
    const all = numbers(value)
    return all === undefined || all.length === 0 ? undefined : choose(...all)
  }

/**
 * https://docs.jsonata.org/string-functions and the pages beside it; what is not here is refused when a
 * mapping is loaded.
 */
export const builtins: Readonly<Record<string, Builtin>> = Object.freeze({
  number: of1(([value], tally) => toNumber(value, tally)),
  string: of1(([value]) => text(value)),
  boolean: of1(([value]) => truth(value)),
  not: of1(([value]) => (value === undefined ? undefined : truth(value) !== true)),
  exists: given(1, 1, ([value]) => value !== undefined),
  count: given(1, 1, ([value]) => (value === undefined ? 0 : Array.isArray(value) ? value.length : 1)),
  sum: given(1, 1, ([value]) => numbers(value)?.reduce((sum, one) => sum + one, 0)),
  max: given(1, 1, extreme(Math.max)),
  min: given(1, 1, extreme(Math.min)),
  abs: of1(([value]) => whenNumber(value, Math.abs)),
  floor: of1(([value]) => whenNumber(value, Math.floor)),
  ceil: of1(([value]) => whenNumber(value, Math.ceil)),
  round: of1(([value, precision]) => whenNumber(value, (of) => rounded(of, numerical(precision) ?? 0)), 2),
  lowercase: of1(([value]) => whenText(value, (of) => of.toLowerCase())),
  uppercase: of1(([value]) => whenText(value, (of) => of.toUpperCase())),
  trim: of1(([value]) => whenText(value, (of) => of.replace(/[ \t\n\r]+/gm, ' ').replace(/^ | $/g, ''))),
  length: of1(([value]) => whenText(value, (of) => Array.from(of).length)),
  substring: given(2, 3, substring),
  substringBefore: given(2, 2, ([whole, mark]) => whenText(whole, (of) => cut(of, mark, false))),
  substringAfter: given(2, 2, ([whole, mark]) => whenText(whole, (of) => cut(of, mark, true))),
  contains: given(2, 2, ([whole, part]) => {
    const [of, by] = [textual(whole), textual(part)]
    return of === undefined || by === undefined ? undefined : of.includes(by)
  }),
  split: given(2, 3, split),
  join: given(1, 2, joined),
  lookup: given(2, 2, ([value, name]) => lookup(value, String(textual(name)))),
  append: given(2, 2, ([first, second]) => append(first, second)),
  keys: of1(([value]) => keys(value)),
  merge: given(1, 1, merge),
  reverse: given(1, 1, ([value]) =>
    value === undefined ? undefined : Array.isArray(value) ? [...value].reverse() : [value],
  ),
})

/**
 * `$map` and `$filter`: the function is called with as many of value, place and list as it has parameters.
 */
export const mapped = (value: unknown, make: (...args: unknown[]) => unknown): unknown => {
  if (value === undefined) return undefined
  const all: readonly unknown[] = Array.isArray(value) ? value : [value]
  const results: Sequence = sequenceOf()
  all.forEach((one, i) => {
    const result = make(one, i, all)
    if (result !== undefined) results.push(result)
  })
  return results
}

export const chosen = (value: unknown, test: (...args: unknown[]) => unknown): unknown => {
  if (value === undefined) return undefined
  const all: readonly unknown[] = Array.isArray(value) ? value : [value]
  const results: Sequence = sequenceOf()
  all.forEach((one, i) => {
    if (truth(test(one, i, all)) === true) results.push(one)
  })
  return results
}
