import type { Cells } from '../../graph/row.ts'
import type { Column } from '../../graph/schema.ts'
import { FILLED } from './check.ts'
import { optionalOf } from './shape.ts'
import type { Listing, Shape } from './shape.ts'
import { partOf, undefinedly, Unscannable } from './symbol.ts'
import type { Value } from './symbol.ts'
import { Symbolic } from './symbolic.ts'
import { braces, pairsOf } from './tree.ts'
import type { Tree } from './tree.ts'

/**
 * Where the head of a scanned row stands: which schema, and which bytes name its symbol, -1 where it is the
 * one that was asked for. Columns follow.
 */
export const TARGET = 0
export const SYMBOL_FROM = 1
export const SYMBOL_TO = 2
export const FIRST_COLUMN = 3

/** Numbers that a scanned row takes: its head, its columns, and where their texts end. */
export const rowWidth = (targets: readonly Cells[]): number => FIRST_COLUMN + 2 * columnsMax(targets)

/** From where a text begins to where it ends, in a scanned row. */
export const columnsMax = (targets: readonly Cells[]): number =>
  Math.max(...targets.map(({ numbers }) => numbers.length))

/** A list that goes to the cells while it is scanned. */
export interface ScannedList {
  readonly list: Listing
  readonly target: number
  readonly place: number
  /** What each member comes to; where it may be no number, that must be looked at. */
  readonly code: string
  readonly finite: boolean
}

/** What the mapping makes of messages of one shape, as code that stores rows. */
export interface ScanRows {
  readonly symbolic: Symbolic
  /** At the end of the message. */
  readonly last: readonly string[]
  /** At the end of each member of a list. */
  readonly members: ReadonlyMap<Listing, string>
  readonly lists: readonly ScannedList[]
  /** A message has one row at most, whose columns are stored in the cells themselves, named by `cells`. */
  readonly direct: boolean
  readonly cells: readonly string[]
}

interface Row {
  readonly target: number
  readonly tests: readonly string[]
  readonly over: Listing | undefined
  readonly fields: ReadonlyMap<string, Value>
}

/**
 * Evaluate a mapping over a shape. Where messages may leave something out, a column that hangs on it is NaN:
 * it is as it was. Throws Unscannable.
 */
export const scanRows = (tree: Tree, shape: Shape, targets: readonly Cells[]): ScanRows => {
  if (!braces(tree)) throw new Unscannable('a mapping that is no object')
  const optional = optionalOf(shape)
  const symbolic = new Symbolic(optional)
  const rows = pairsOf(tree).flatMap(([schema, rowsOf]): readonly Row[] => {
    const target = targets.findIndex((one) => one.schema.name === schema.value)
    if (target < 0) throw new Unscannable(`rows of "${String(schema.value)}"`)
    return rowsIn(symbolic.evaluate(rowsOf, partOf(shape))).map((row) => ({ ...row, target }))
  })
  symbolic.uses.evaluated = true
  const patch = optional.size > 0
  const overs = rows.flatMap(({ over }) => (over === undefined ? [] : [over]))
  if (rows.length === 0) throw new Unscannable('a message without rows')
  if (overs.length > 0 && rows.length > 1) throw new Unscannable('rows of a list beside others')
  const lists: ScannedList[] = []
  if (patch && overs.length > 0) throw new Unscannable('rows of a list where something may be left out')
  const direct = rows.length === 1 && overs.length === 0 && !patch
  const codes = rows.map((row) => storeRow(row, symbolic, targets, { lists, direct, patch }))
  const [over] = overs
  if (over !== undefined && lists.length > 0) throw new Unscannable('lists within lists')
  const members = new Map(over === undefined ? [] : [[over, codes.join('')]])
  const cells = direct ? cellsCode(rows[0]!.target) : []
  return { symbolic, last: over === undefined ? codes : [], members, lists, direct, cells }
}

const cellsCode = (target: number): readonly string[] => [`const{numbers,texts,names}=k.cells[${target}];`]

/** Where what is stored goes. */
interface Into {
  readonly lists: ScannedList[]
  readonly direct: boolean
  readonly patch: boolean
}

type Found = Omit<Row, 'target'>

const rowsIn = (value: Value, tests: readonly string[] = []): readonly Found[] => {
  if (undefinedly(value)) return []
  if (value.is === 'object') return [{ tests, over: undefined, fields: value.fields }]
  if (value.is === 'either') {
    const { code } = value.test
    return [...rowsIn(value.yes, [...tests, code]), ...rowsIn(value.no, [...tests, `!${code}`])]
  }
  if (value.is !== 'each' || tests.length > 0) throw new Unscannable('rows that are no objects')
  return rowsIn(value.value).map((row) => ({ ...row, over: value.list }))
}

const storeRow = (row: Row, symbolic: Symbolic, targets: readonly Cells[], into: Into): string => {
  const cells = targets[row.target]!
  const [from, to] = symbolOf(row, symbolic)
  const store = new Store(symbolic, into.direct ? undefined : columnsMax(targets), into.patch)
  const columns = cells.schema.columns.map((column, place) => {
    const value = row.fields.get(column.name) ?? NOTHING
    if (into.patch) checkPatch(cells, column)
    if (FILLED.has(column.name) || (column.name === 'symbol' && cells.schema.name === 'skip')) return ''
    if (column.kind !== 'floats') return store.column(column, place, value)
    if (row.tests.length > 0) throw new Unscannable('a list in a row that may not be')
    return storeList(value, row.target, place, into.lists)
  })
  const priced = into.lists.filter(({ target }) => target === row.target)
  if (!alike(cells, priced)) throw new Unscannable('lists of unlike lengths')
  const width = rowWidth(targets)
  const place = into.direct ? '' : `q=r*${width};if(q+${width}>o.length)return -2;`
  const head = `${place}o[q]=${row.target};o[q+1]=${from};o[q+2]=${to};`
  const code = `${head}${columns.join('')}r++;`
  return row.tests.length === 0 ? code : `if(${row.tests.join('&&')}){${code}}`
}

const symbolOf = ({ fields }: Row, { uses }: Symbolic): readonly [from: string, to: string] => {
  const symbol = fields.get('symbol')
  if (symbol?.is === 'asked') return ['-1', '-1']
  if (symbol?.is === 'leaf' && symbol.leaf.kind === 'text') return uses.text(symbol.leaf)
  throw new Unscannable('a symbol that is no text')
}

/** What was said last is kept as numbers. */
const checkPatch = (cells: Cells, { kind, name }: Column): void => {
  const fits = kind in FITS || FILLED.has(name)
  if (!fits || cells.schema.name === 'skip') throw new Unscannable(`"${name}", which may be left out`)
}

const NOTHING: Value = { is: 'constant', value: undefined }

/**
 * Prices and sizes of one side must come from the same list, or only a look at the message tells if they fit.
 */
const alike = (cells: Cells, lists: readonly ScannedList[]): boolean => {
  const { columns } = cells.schema
  const from = (name: string): Listing | undefined =>
    lists.find(({ place }) => columns[place]!.name === name)?.list
  return columns.every(({ name }) => {
    const sizes = name.replace(/Prices$/, 'Sizes')
    return sizes === name || !columns.some((one) => one.name === sizes) || from(name) === from(sizes)
  })
}

const storeList = (value: Value, target: number, place: number, lists: ScannedList[]): string => {
  if (undefinedly(value)) return `k.cells[${target}].lists[${place}].length=0;`
  if (value.is !== 'each' || value.value.is !== 'number') throw new Unscannable('a list of no numbers')
  const { code, most } = value.value
  lists.push({ list: value.list, target, place, code, finite: Number.isFinite(most) })
  return ''
}

/** Code that stores the columns of a row: in its cells, or, of many, where the reader takes them from. */
class Store {
  readonly #symbolic: Symbolic
  /** From where a text begins to where it ends; undefined: the cells take it at once. */
  readonly #texts: number | undefined
  readonly #patch: boolean

  constructor(symbolic: Symbolic, texts: number | undefined, patch: boolean) {
    this.#symbolic = symbolic
    this.#texts = texts
    this.#patch = patch
  }

  column(column: Column, place: number, value: Value): string {
    const at = this.#texts === undefined ? `numbers[${place}]` : `o[q+${FIRST_COLUMN + place}]`
    if (value.is === 'either') {
      const [yes, no] = [value.yes, value.no].map((side) => this.column(column, place, side))
      return `if(${value.test.code}){${yes}}else{${no}}`
    }
    if (this.#patch && undefinedly(value)) return `${at}=NaN;`
    if (this.#patch && value.is === 'constant' && value.value === null) throw new Unscannable('a null')
    if (value.is === 'constant' && (value.value === undefined || value.value === null))
      return column.nullable ? this.#none(column, place, at) : 'return -1;'
    switch (column.kind) {
      case 'text':
        return this.#text(column, place, value)
      case 'choice':
        return this.#choice(column, at, value)
      case 'flag':
        return `${at}=${this.#flag(column, value)};`
      case 'name':
        throw new Unscannable(`the name "${column.name}"`)
      default:
        return this.#number(column, at, value)
    }
  }

  #none({ kind }: Column, place: number, at: string): string {
    if (this.#texts === undefined && kind === 'name') return `names[${place}]=null;`
    if (kind !== 'text') return `${at}=NaN;`
    return this.#texts === undefined ? `texts[${place}].set(null);` : `${at}=-1;`
  }

  #number(column: Column, at: string, value: Value): string {
    const amount = this.#symbolic.uses.number(value)
    if (amount === undefined) throw new Unscannable(`"${column.name}", which is no number`)
    return `x=${amount.code};if(${FITS[column.kind as keyof typeof FITS]})return -1;${at}=x;`
  }

  #text(column: Column, place: number, value: Value): string {
    const text = value.is === 'text' || (value.is === 'leaf' && value.leaf.kind === 'text')
    if (!text) throw new Unscannable(`"${column.name}", which is no text`)
    const [from, to] = this.#symbolic.uses.text(value.leaf)
    if (this.#texts === undefined) return `texts[${place}].copy(b,${from},${to});`
    const at = FIRST_COLUMN + place
    return `o[q+${at}]=${from};o[q+${at + this.#texts}]=${to};`
  }

  #choice(column: Column, at: string, value: Value): string {
    if (value.is === 'constant') {
      const code = typeof value.value === 'string' ? column.values.indexOf(value.value) : -1
      return code < 0 ? 'return -1;' : `${at}=${code};`
    }
    if (value.is !== 'leaf' || value.leaf.kind !== 'text')
      throw new Unscannable(`"${column.name}", which is no text`)
    const { leaf } = value
    const tests = column.values.map(
      (text, code) => `if(${this.#symbolic.uses.says(leaf, text)})${at}=${code};`,
    )
    return `${tests.join('else ')}else return -1;`
  }

  #flag(column: Column, value: Value): string {
    if (value.is === 'test') return `${value.code}?1:0`
    if (value.is === 'constant' && typeof value.value === 'boolean') return value.value ? '1' : '0'
    if (value.is === 'leaf' && value.leaf.kind === 'flag') return this.#symbolic.uses.flag(value.leaf)
    throw new Unscannable(`"${column.name}", which is no flag`)
  }
}

/** When a number does not fit its column, so that another tier must say what is wrong with it. */
const FITS = {
  float: 'x-x!==0',
  count: '!Number.isSafeInteger(x)',
  micros: '!Number.isSafeInteger(x)',
  int: '(x|0)!==x||x===-2147483648',
} as const
