import type { Cells } from '../../graph/row.ts'
import { numberEnd, POWERS, textEnd } from './plain.ts'
import { scanRows } from './scan-row.ts'
import type { ScannedList, ScanRows } from './scan-row.ts'
import type { Leaf, Listing, Shape } from './shape.ts'
import { Unscannable } from './symbol.ts'
import type { Tree } from './tree.ts'
import type { Use, Uses } from './use.ts'

/**
 * Read one message of a template. Returns how many rows it has written; -1 when the message is not of the
 * template, or has a value that only the other tiers can judge; -2 when there is no room for the rows. Lists
 * go to the cells at once. The bytes must be followed by eight zeros: what is read beyond them is no digit,
 * and no part of any template.
 */
export type Scan = (
  bytes: Uint8Array,
  view: DataView,
  from: number,
  end: number,
  rows: Float64Array,
  received: number,
) => number

export interface Scanner {
  readonly scan: Scan
  readonly code: string
}

/**
 * Write the scanner of a mapping for messages of a shape: everything that the example has in common with
 * others of its shape is compared, four bytes at a time; everything else is read where it stands. Throws
 * Unscannable.
 */
export const compileScanner = (tree: Tree, shape: Shape, targets: readonly Cells[]): Scanner => {
  const code = new Writer(scanRows(tree, shape, targets)).write(shape)
  const make = new Function('k', code) as (library: object) => Scan
  return { code, scan: make({ numberEnd, powers: POWERS, textEnd, cells: targets }) }
}

class Writer {
  readonly #rows: ScanRows
  #code = ''
  #literal = ''
  #depth = 0
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
    const uses = [...all].flatMap(({ name }) => VARIABLES.map((kind) => `${kind}${name}=0`))
    const counters = Array.from({ length: this.#depth }, (_, at) => `j${at}=0`)
    counters.push(...[...singles.values()].map((count) => `${count}=0`))
    return [
      `'use strict';const P=k.powers,numberEnd=k.numberEnd,textEnd=k.textEnd;`,
      ...lists.map(({ target, place }, at) => `const l${at}=k.cells[${target}].lists[${place}];`),
      `return (b,v,from,end,o,R)=>{let i=from,t=0,d=0,n=0,m=0,y=0,z=0,g=1,r=0,q=0,x=0`,
      ...[...counters, ...uses].map((variable) => `,${variable}`),
      ';',
      ...lists.map((_, at) => `l${at}.room((end-from>>2)+1);const w${at}=l${at}.values;`),
      `${this.#code}if(i!==end)return -1;${last.join('')}return r===0?-1:r}`,
    ].join('\n')
  }

  #value(shape: Shape): void {
    switch (shape.kind) {
      case 'object':
        shape.members.forEach(([key, value], at) => {
          this.#literal += `${at === 0 ? '{' : ','}"${key}":`
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
    this.#code += `${counter}=0;if(b[i]===93){${rows === undefined ? 'i++' : 'return -1'}}else for(;;){`
    this.#value(of)
    this.#flush()
    const stores = into.map(([{ code, finite }, at]) =>
      finite ? `w${at}[${counter}]=${code};` : `x=${code};if(x-x!==0)return -1;w${at}[${counter}]=x;`,
    )
    const each = `${stores.join('')}${rows ?? ''}`
    this.#checkRead(each)
    const more = single === undefined ? 'i++;continue' : 'return -1'
    this.#code += `${each}${counter}++;if(b[i]===44){${more}}if(b[i]===93){i++;break}return -1}\n`
    this.#code += into.map(([, at]) => `l${at}.length=${counter};`).join('')
    if (single === undefined) return
    this.#code += `${single}=${counter};`
    this.#read.add(single)
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
    if (use === undefined) this.#code += leaf.kind === 'flag' ? flagCode('d') : SKIPS[leaf.kind]
    else this.#code += readCode(leaf, use) + (use.pinned ? this.#pin(leaf, use) : '')
    if (leaf.kind === 'text') this.#literal += '"'
  }

  #pin(leaf: Leaf, { name }: Use): string {
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
    if (literal === '') return
    const tests: string[] = []
    let at = 0
    for (; at + 4 <= literal.length; at += 4) tests.push(`v.getInt32(i+${at},true)!==${wordAt(literal, at)}`)
    for (; at < literal.length; at++) tests.push(`b[i+${at}]!==${literal.charCodeAt(at)}`)
    this.#code += `if(${tests.join('||')})return -1;i+=${literal.length};\n`
  }
}

const VARIABLES = ['n', 's', 'e', 'f']

const wordAt = (text: string, at: number): number =>
  text.charCodeAt(at) |
  (text.charCodeAt(at + 1) << 8) |
  (text.charCodeAt(at + 2) << 16) |
  (text.charCodeAt(at + 3) << 24)

/**
 * What nobody reads is passed four bytes at a time: of a text while none of them is a quote, an escape or
 * beyond plain ASCII, which sets a high bit in one of the sums; of a number while all are digits.
 */
const SKIPS = {
  text:
    'for(;;){t=v.getInt32(i,true);if((((t^0x22222222)-0x01010101|(t^0x5c5c5c5c)-0x01010101|t-0x20202020|' +
    't+0x01010101)&0x80808080)!==0)break;i+=4}i=textEnd(b,i);if(i<0)return -1;',
  number:
    'z=b[i]===45?i+1:i;y=z;for(;;){t=v.getInt32(y,true)^0x30303030;' +
    'if((((t+0x76767676)|t)&0x80808080)!==0)break;y+=4}' +
    'while(b[y]>=48&&b[y]<=57)y++;if(y===z||(b[z]===48&&y-z>1))return -1;' +
    'if(b[y]===46||(b[y]|32)===101){i=numberEnd(b,i);if(i<0)return -1}else i=y;',
} as const

const flagCode = (into: string): string =>
  `if(v.getInt32(i,true)===${wordAt('true', 0)}){${into}=1;i+=4}` +
  `else if(b[i]===102&&v.getInt32(i+1,true)===${wordAt('alse', 0)}){${into}=0;i+=5}else return -1;`

/** Read a leaf for all that it is used for. */
const readCode = ({ kind }: Leaf, use: Use): string => {
  const { name } = use
  if (kind === 'flag') return flagCode(`f${name}`)
  const [begin, end] = [`s${name}=i;`, `e${name}=i;`]
  if (kind === 'number') {
    // As a text it must be what `$string` makes of it: a whole number that is written out.
    if (use.text) return `${begin}${WHOLE}n${name}=m;${end}`
    return `${DECIMAL}if(b[z]===48&&y-z>1)return -1;n${name}=x;`
  }
  if (!use.number) return `${begin}${SKIPS.text}${end}`
  const decimal = `${DECIMAL}n${name}=x;`
  return `${begin}${use.empty && !use.strict ? `if(b[i]===34)n${name}=NaN;else{${decimal}}` : decimal}${end}`
}

/**
 * Digits from `i` on are added to `m`, four at a time: in a word of four bytes less 0x30 each, whatever is no
 * digit has its high bit set by the sum; pairs of digits, then of pairs, are joined by one multiplication.
 */
const DIGITS =
  'for(;;){t=v.getInt32(i,true)^0x30303030;d=(((t+0x76767676)|0)|t)&0x80808080;if(d!==0)break;' +
  't=(Math.imul(t,10)+(t>>>8))|0;m=m*10000+((t&0xff)*100+((t>>>16)&0xff));i+=4}' +
  'n=(31-Math.clz32(d&-d))>>>3;if(n!==0){t=t<<(32-(n<<3));t=(Math.imul(t,10)+(t>>>8))|0;' +
  'm=m*P[n]+((t&0xff)*100+((t>>>16)&0xff));i+=n}'

/** Up to fifteen digits that do not begin with a zero: what is the same as a number and as a text. */
const WHOLE = `m=0;z=i;${DIGITS}if(i===z||m>=1e15||(b[z]===48&&i-z>1))return -1;`

/**
 * A decimal as the double nearest to it: digits that a double holds exactly, divided once by a power of ten
 * that it holds exactly. `z` is where its digits begin, `y` where its whole part ends.
 *
 * @see https://dl.acm.org/doi/10.1145/93542.93557
 */
const DECIMAL =
  `if(b[i]===45){g=-1;i++}else g=1;m=0;z=i;${DIGITS}y=i;if(i===z)return -1;` +
  `if(b[i]===46){i++;${DIGITS}n=i-y-1;if(n<1||n>22)return -1;x=g*m/P[n]}else x=g*m;if(m>=1e15)return -1;`
