import { KtError } from './error.ts'
import { encodeText } from './layout.ts'
import type { Layout } from './layout.ts'
import type { Cells } from './row.ts'
import type { AnySchema, Column } from './schema.ts'

/**
 * The rows of one batch until they are laid out as columns. Numbers wait row by row, so that a row is one run
 * of memory; a missing one is NaN. Of names only the runs wait: a row mostly has those of the row before.
 */
export interface Waiting {
  /** Copy a row from cells of the schema: they hold what has passed the border of a mapping. */
  readonly copy: (cells: Cells, row: number, order: number) => void
  /** Copy a row from an event. Throws KT9000 for a value that its column cannot hold. */
  readonly read: (event: object, row: number, order: number) => void
  /** All columns, in the order of the schema; no row waits then. */
  readonly lay: (layout: Layout) => void
}

/** Room for the rows of a schema. */
export const createWaiting = (schema: AnySchema): Waiting => {
  const known = makers.get(schema)
  if (known !== undefined) return known()
  const { columns } = schema
  const make = new Function('k', codeOf(columns)) as (library: object) => () => Waiting
  const made = make({ columns, numberOf, textOf, encodeText, grown })
  makers.set(schema, made)
  return made()
}

/** Code is written once for a schema, so that all batches of it have what the engine learns of one. */
const makers = new WeakMap<AnySchema, () => Waiting>()

/*
 * Variables of the code: `row` and `order` of a row, `at` where its numbers begin in `N`; `v` a value.
 * Of a column: `a_` the names of its runs, `r_` where they end, `q_` how many, `n_` the name of the last
 * one, `m_` names as bytes; `e_` where texts and lists end, `p_` which rows have a text, `b_` what they hold
 * and `u_` how much.
 */
const codeOf = (columns: readonly Column[]): string => {
  const numbers = columns.flatMap((column, at) => (slotted(column) ? [at] : []))
  const width = Math.max(numbers.length, 1)
  const all = columns.map((column, at) => codeOfColumn(column, at, numbers.indexOf(at), width))
  const part = (of: 'begin' | 'copy' | 'read' | 'lay'): string => all.map((one) => one[of]).join('\n')
  return [
    `'use strict';const{columns,numberOf,textOf,encodeText,grown}=k;`,
    `return()=>{let room=16,N=new Float64Array(${16 * width});`,
    part('begin'),
    `const more=()=>{room*=2;N=grown(N,room*${width})};`,
    `const copy=(c,row,order)=>{if(row>=room)more();const at=row*${width},f=c.numbers;let v;`,
    `${part('copy')}};`,
    `const read=(event,row,order)=>{if(row>=room)more();const at=row*${width};let v;`,
    `${part('read')}};`,
    `const lay=(L)=>{${part('lay')}};`,
    'return Object.freeze({copy,read,lay})}',
  ].join('\n')
}

const slotted = ({ kind }: Column): boolean => kind !== 'name' && kind !== 'text' && kind !== 'floats'

interface ColumnCode {
  readonly begin: string
  readonly copy: string
  readonly read: string
  readonly lay: string
}

const codeOfColumn = (column: Column, place: number, slot: number, width: number): ColumnCode => {
  switch (column.kind) {
    case 'name':
      return nameCode(column, place)
    case 'text':
      return textCode(column, place)
    case 'floats':
      return listCode(column, place)
    default:
      return numberCode(column, place, slot, width)
  }
}

const of = (name: string): string => `event[${JSON.stringify(name)}]`

const LAID = {
  float: 'floats',
  count: 'wholes',
  micros: 'wholes',
  int: 'ints',
  choice: 'codes',
  flag: 'flags',
}

const numberCode = (column: Column, place: number, slot: number, width: number): ColumnCode => {
  const { kind, name, nullable, values } = column
  const to = `N[at+${slot}]`
  const other = `numberOf(columns[${place}],v)`
  const fits = {
    choice: `${values.map((value, code) => `v===${JSON.stringify(value)}?${code}:`).join('')}${other}`,
    flag: `v===true?1:v===false?0:${other}`,
    float: `typeof v==='number'?v:${other}`,
    int: `typeof v==='number'?v:${other}`,
    count: `Number.isSafeInteger(v)?v:${other}`,
    micros: `Number.isSafeInteger(v)?v:${other}`,
  }[kind as keyof typeof LAID]
  // A row's place in its step is no part of the event.
  const ordered = name === '_order'
  const where = `N,${slot},${width}`
  const presence = nullable ? `L.presence(${where});` : ''
  const floats = kind === 'float' ? `,${nullable}` : ''
  return {
    begin: '',
    copy: `${to}=${ordered ? 'order' : `f[${place}]`};`,
    read: ordered ? `${to}=order;` : `v=${of(name)};${to}=${fits};`,
    lay: `${presence}L.${LAID[kind as keyof typeof LAID]}(${where}${floats});`,
  }
}

/** Names are few, so that each is encoded once and remembered. */
const nameCode = ({ name, nullable }: Column, place: number): ColumnCode => {
  const [a, r, q, n, m] = ['a', 'r', 'q', 'n', 'm'].map((kind) => `${kind}${place}`)
  const put = `if(v!==${n}||${q}===0)${a}[${q}++]=${n}=v;${r}[${q}-1]=row+1;`
  const laid = `${a},${r},${q}`
  return {
    begin: `const ${m}=new Map(),${a}=[],${r}=[];let ${n}='',${q}=0;`,
    copy: `v=c.names[${place}];${put}`,
    read: `v=${of(name)};if(typeof v!=='string')v=textOf(columns[${place}],v);${put}`,
    lay: `${nullable ? `L.namePresence(${laid});` : ''}L.names(${laid},${m});${q}=0;`,
  }
}

const textCode = ({ name, nullable }: Column, place: number): ColumnCode => {
  const [e, p, b, u] = ['e', 'p', 'b', 'u'].map((kind) => `${kind}${place}`)
  const room = (length: string): string =>
    `if(row===${p}.length){${e}=grown(${e},row*2+1);${p}=grown(${p},row*2)}` +
    `if(${u}+${length}>${b}.length)${b}=grown(${b},Math.max(${b}.length*2,${u}+${length}));`
  const end = `${p}[row]=v<0?0:1;if(v>0)${u}+=v;${e}[row+1]=${u};`
  return {
    begin: `let ${e}=new Int32Array(17),${p}=new Uint8Array(16),${b}=new Uint8Array(256),${u}=0;`,
    copy:
      `{const t=c.texts[${place}],g=t.bytes;v=t.length;${room('v')}const h=${b},w=${u};` +
      `for(let i=0;i<v;i++)h[w+i]=g[i];${end}}`,
    read:
      `{const t=textOf(columns[${place}],${of(name)});v=t===null?-1:t.length*3;${room('v')}` +
      `if(t!==null)v=encodeText(t,${b},${u});${end}}`,
    lay: `${nullable ? `L.textPresence(${p});` : ''}L.texts(${e},${b},${u});${u}=0;`,
  }
}

/** What is longer is worth a call, and a view where only its beginning counts. */
const LOOP_MAX = 64

const listCode = ({ name }: Column, place: number): ColumnCode => {
  const [e, b, u] = ['e', 'b', 'u'].map((kind) => `${kind}${place}`)
  const put = (list: string, whole: string): string =>
    `if(row+1===${e}.length)${e}=grown(${e},row*2+1);` +
    `if(${u}+v>${b}.length)${b}=grown(${b},Math.max(${b}.length*2,${u}+v));` +
    `if(v>${LOOP_MAX})${b}.set(${whole},${u});` +
    `else{const h=${b},w=${u};for(let i=0;i<v;i++)h[w+i]=${list}[i]}${u}+=v;${e}[row+1]=${u};`
  return {
    begin: `let ${e}=new Int32Array(17),${b}=new Float64Array(64),${u}=0;`,
    copy: `{const t=c.lists[${place}],g=t.values;v=t.length;${put('g', 'g.subarray(0,v)')}}`,
    read: `{const t=${of(name)};v=t.length;${put('t', 't')}}`,
    lay: `L.lists(${e},${b},${u});${u}=0;`,
  }
}

const grown = <T extends Uint8Array | Int32Array | Float64Array>(from: T, length: number): T => {
  const to = new (from.constructor as new (length: number) => T)(length)
  to.set(from)
  return to
}

/** As a number; NaN: there is none. */
const numberOf = (column: Column, value: unknown): number => {
  if (value === null && column.nullable) return NaN
  if (value === undefined && column.nullable) return refuse(column, 'null where it has no value', value)
  switch (column.kind) {
    case 'choice':
      return refuse(column, column.values.join(', '), value)
    case 'flag':
      return refuse(column, 'true or false', value)
    case 'float':
    case 'int':
      return refuse(column, 'numbers', value)
    default:
      return refuse(column, 'whole numbers up to 2^53', value)
  }
}

const textOf = (column: Column, value: unknown): string | null => {
  if (typeof value === 'string' || (value === null && column.nullable)) return value as string | null
  if (value === undefined && column.nullable) return refuse(column, 'null where it has no value', value)
  return refuse(column, 'texts', value)
}

const refuse = ({ name }: Column, holds: string, value: unknown): never => {
  const what = `column "${name}" holds ${holds}, not ${String(value)}`
  throw new KtError('KT9000', `an invariant of kt is broken: ${what}`, {
    fix: 'If an operator of yours makes this column, correct it; else report this with the log before it.',
  })
}
