import type { Cells } from '../../graph/row.ts'
import { numberEnd, POWERS, readDecimal } from './plain.ts'
import { differs } from './literal.ts'
import { guessOf, passCode, readCode, skipCode, tensCode } from './scan-code.ts'
import { scanRows } from './scan-row.ts'
import type { ScannedList, ScanRows } from './scan-row.ts'
import type { Leaf, Listing, Shape } from './shape.ts'
import { Unscannable } from './symbol.ts'
import type { Tree } from './tree.ts'
import type { Use, Uses } from './use.ts'

/**
 * Read one message of a template. Returns how many rows it has written; -1 when the message is not of the
 * template, or has a value that only the other tiers can judge; -2 when there is no room for the rows. Lists
 * go to the cells at once. Eight bytes more must be there to be read: whatever they are, a message that only
 * goes on with them is none of the template, as its end is not where it should be. Throws RangeError when the
 * memory ends before a text does.
 */
export type Scan = (
  bytes: Uint8Array,
  view: DataView,
  from: number,
  end: number,
  rows: Float64Array,
  received: number,
  limit: number,
) => number

export interface Scanner {
  readonly scan: Scan
  readonly code: string
  /** A message has one row, which stands in the cells of its schema: of `rows`, only its head was written. */
  readonly direct: boolean
  /** Two scanners of one shape are the same when these are. */
  readonly pins: string
}

/**
 * Write the scanner of a mapping for messages of a shape: everything that the example has in common with
 * others of its shape is compared, four bytes at a time; everything else is read where it stands. Throws
 * Unscannable.
 */
export const compileScanner = (tree: Tree, shape: Shape, targets: readonly Cells[]): Scanner => {
  const rows = scanRows(tree, shape, targets)
  const writer = new Writer(rows)
  const code = writer.write(shape)
  const make = new Function('k', code) as (library: object) => Scan
  const digits = Int32Array.from(writer.decimals.map(({ guess }) => guess))
  const library = { numberEnd, readDecimal, powers: POWERS, digits, cells: targets }
  return { code, scan: make(library), direct: rows.direct, pins: rows.symbolic.uses.pins }
}

class Writer {
  readonly #rows: ScanRows
  #code = ''
  #literal = ''
  /** What begins each member of a list; undefined until it is known. */
  #prefix: string | undefined = ''
  #depth = 0
  /** What is read as numbers. */
  readonly decimals: { readonly name: string; readonly guess: number }[] = []
  /** The variables of what was read so far. */
  readonly #read = new Set<string>()

  constructor(rows: ScanRows) {
    this.#rows = rows
  }

  get #uses(): Uses {
    return this.#rows.symbolic.uses
  }

  write(shape: Shape): string {
    this.#value(shape)
    this.#flush()
    const { last, lists } = this.#rows
    const { all, singles } = this.#uses
    const uses = [...all]
    const counters = Array.from({ length: this.#depth }, (_, at) => `j${at}=0`)
    counters.push(...[...singles.values()].map((count) => `${count}=0`))
    return [
      `'use strict';const P=k.powers,I=Int32Array.from(P.subarray(0,9)),L=k.digits;`,
      'const{readDecimal,numberEnd}=k,F=new Float64Array(1),G=new Int32Array(2);',
      ...lists.map(({ target, place }, at) => `const l${at}=k.cells[${target}].lists[${place}];`),
      ...this.#rows.cells,
      `return (b,v,from,end,o,R,H)=>{let i=from,t=0,d=0,n=0,m=0,u=0,y=0,z=0,r=0,q=0,x=0`,
      ...[...counters, ...uses.flatMap(variables)].map((variable) => `,${variable}`),
      ...this.decimals.map(({ name }, at) => `,l${name}=L[${at}],${tensCode(name)}`),
      ';',
      ...lists.map((_, at) => `l${at}.room((end-from>>2)+1);const w${at}=l${at}.values;`),
      `${this.#code}if(i!==end)return -1;`,
      ...this.decimals.map(({ name }, at) => `L[${at}]=l${name};`),
      `${last.join('')}return r===0?-1:r}`,
    ].join('\n')
  }

  #value(shape: Shape): void {
    switch (shape.kind) {
      case 'object':
        shape.members.forEach(([key, value, may], at) => {
          const lead = `${at === 0 ? '{' : ','}"${key}":`
          if (may === true) return this.#optional(lead, value)
          this.#literal += lead
          this.#value(value)
        })
        this.#literal += shape.members.length === 0 ? '{}' : '}'
        return
      case 'tuple':
        shape.of.forEach((leaf, at) => {
          this.#literal += at === 0 ? '[' : ','
          this.#leaf(leaf)
        })
        this.#literal += ']'
        return
      case 'list':
        return this.#list(shape)
      default:
        return this.#leaf(shape)
    }
  }

  /** A member that is read where it stands, and else is none. */
  #optional(lead: string, value: Shape): void {
    if (
      this.#prefix === undefined ||
      value.kind === 'object' ||
      value.kind === 'list' ||
      value.kind === 'tuple'
    )
      throw new Unscannable('a part that may be left out')
    this.#flush()
    const outer = this.#code
    const open = value.kind === 'text' ? `${lead}"` : lead
    this.#code = ''
    this.#plain(value)
    this.#literal = value.kind === 'text' ? '"' : ''
    this.#flush()
    const name = this.#uses.of(value)?.name
    const there = name === undefined ? '' : `g${name}=1;`
    this.#code = `${outer}if(!(${differs(open)})){i+=${open.length};${there}${this.#code}}\n`
  }

  #list(list: Listing): void {
    const of = list.of ?? this.#uses.assumed(list)
    if (of === undefined) {
      this.#literal += '[]'
      return
    }
    const [counter, single] = [`j${this.#depth++}`, this.#uses.singles.get(list)]
    const into = this.#rows.lists.flatMap((one, at): readonly (readonly [ScannedList, number])[] =>
      one.list === list ? [[one, at]] : [],
    )
    if (into.length > 0 && of.kind !== 'tuple' && !(of.kind === 'object' && of.members.length > 0))
      throw new Unscannable('a list of nothing')
    const rows = this.#rows.members.get(list)
    this.#literal += '['
    this.#flush()
    const { prefix, body, suffix } = this.#member(of)
    const stores = into.map(([{ code, finite }, at]) =>
      finite ? `w${at}[${counter}]=${code};` : `x=${code};if(x-x!==0)return -1;w${at}[${counter}]=x;`,
    )
    const each = `${body}${stores.join('')}${rows ?? ''}`
    this.#checkRead(each)
    // One member mostly follows another.
    const next = single === undefined ? pass(`${suffix},${prefix}`, 'continue') : ''
    const none = `${counter}=0;if(b[i]===93){${rows === undefined ? 'i++' : 'return -1'}}`
    const all = `for(;;){${each}${counter}++;${next}${pass(`${suffix}]`, 'break')}return -1}`
    this.#code += `${none}else{${passCode(prefix)}${all}}\n`
    this.#code += into.map(([, at]) => `l${at}.length=${counter};`).join('')
    if (single === undefined) return
    this.#code += `${single}=${counter};`
    this.#read.add(single)
  }

  /** The code of a member of a list, without what stands in all of them before and behind what is read. */
  #member(of: Shape): { readonly prefix: string; readonly body: string; readonly suffix: string } {
    const [code, outer] = [this.#code, this.#prefix]
    this.#code = ''
    this.#prefix = undefined
    this.#value(of)
    const found = { prefix: this.#prefix ?? '', body: this.#code, suffix: this.#literal }
    this.#literal = ''
    this.#code = code
    this.#prefix = outer
    return found
  }

  /** What is done with each member of a list can use only what stands in the message before its end. */
  #checkRead(code: string): void {
    for (const [name] of code.matchAll(/\b[nsefc]_\d+\b/g))
      if (!this.#read.has(name)) throw new Unscannable('a value that stands behind its list')
  }

  #leaf(leaf: Leaf): void {
    const use = this.#uses.of(leaf)
    if (use !== undefined) for (const kind of VARIABLES) this.#read.add(`${kind}${use.name}`)
    if (leaf.kind === 'null') {
      this.#literal += 'null'
      return
    }
    if (leaf.kind === 'text') this.#literal += '"'
    this.#flush()
    this.#plain(leaf)
    if (leaf.kind === 'text') this.#literal += '"'
  }

  #plain(leaf: Leaf): void {
    const use = this.#uses.of(leaf)
    if (leaf.kind === 'null') throw new Unscannable('a null that may be left out')
    if (use?.number === true || (use?.text === true && leaf.kind === 'number'))
      this.decimals.push({ name: use.name, guess: guessOf(leaf) })
    if (use === undefined) this.#code += skipCode(leaf)
    else this.#code += readCode(leaf, use) + this.#pin(leaf, use)
  }

  #pin(leaf: Leaf, { name, pinned, prefix }: Use): string {
    if (!pinned)
      return prefix === 0 ? '' : `if(!(${this.#uses.begins(leaf, leaf.example.slice(0, prefix))}))return -1;`
    const same =
      leaf.kind === 'flag'
        ? `f${name}===${leaf.example === 'true' ? 1 : 0}`
        : this.#uses.says(leaf, leaf.example)
    return `if(!(${same}))return -1;`
  }

  /** Compare what is the same in all messages. */
  #flush(): void {
    const literal = this.#literal
    this.#literal = ''
    if (this.#prefix === undefined) this.#prefix = literal
    else if (literal !== '') this.#code += passCode(literal)
  }
}

const VARIABLES = ['n', 's', 'e', 'f']

const variables = ({ name, number, text, flag, optional }: Use): readonly string[] => [
  ...(optional ? [`g${name}=0`] : []),
  ...(number || text ? [`n${name}=0`] : []),
  ...(text ? [`s${name}=0`, `e${name}=0`] : []),
  ...(flag ? [`f${name}=0`] : []),
]

/** Where these bytes stand, go past them and on with `then`. */
const pass = (literal: string, then: string): string =>
  `if(!(${differs(literal)})){i+=${literal.length};${then}}`
