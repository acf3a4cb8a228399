import { GraphError } from '../../graph/error.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { braces, pairsOf } from './tree.ts'
import type { Tree } from './tree.ts'

/** What the reader knows better than any message, and fills in. */
export const FILLED: ReadonlySet<string> = new Set(['venue', 'instrument', 'received'])

type Sort = 'text' | 'number' | 'flag' | 'list' | 'object' | 'unknown'

const NEEDS: Readonly<Record<Column['kind'], Sort>> = {
  text: 'text',
  name: 'text',
  choice: 'text',
  flag: 'flag',
  floats: 'list',
  float: 'number',
  count: 'number',
  int: 'number',
  micros: 'number',
}

/**
 * Compare a part of a mapping with the schemas of its rows, before any message comes: no field that the
 * schema lacks, none missing that it needs, none that is sure to have another type.
 */
export const check = (file: string, part: string, tree: Tree, schemas: readonly AnySchema[]): void => {
  const refuse = (message: string, fix: string): never => {
    throw new GraphError('KT2004', `the mapping of "${part}" ${message}`, {
      where: file,
      fix,
      facts: { part },
    })
  }
  if (!braces(tree)) {
    return refuse(
      'is not an object of rows by schema',
      `Write { "${schemas[0]?.name ?? 'trade'}": { ... } }.`,
    )
  }
  const made = new Set<string>()
  for (const [key, rows] of pairsOf(tree)) {
    const schema = schemas.find((one) => one.name === key.value)
    if (schema === undefined) {
      return refuse(
        `makes rows of "${String(key.value)}", which this channel does not carry`,
        `Use ${quoted(schemas.map((one) => one.name))}.`,
      )
    }
    made.add(schema.name)
    const objects = objectsOf(rows)
    if (objects === undefined) {
      return refuse(
        `hides the fields of its "${schema.name}" rows`,
        'Let the row be an object in braces, where it can be seen.',
      )
    }
    for (const row of objects) checkRow(row, schema, refuse)
  }
  const absent = schemas.find((one) => !made.has(one.name) && !OPTIONAL.has(one.name))
  if (absent !== undefined) refuse(`makes no rows of "${absent.name}"`, `Add "${absent.name}": { ... }.`)
}

/** Parts that a mapping may leave out: ids without rows, and the next page. */
const OPTIONAL: ReadonlySet<string> = new Set(['skip', 'next'])

const checkRow = (row: Tree, schema: AnySchema, refuse: (message: string, fix: string) => never): void => {
  const columns = new Map(
    schema.columns.filter((column) => !FILLED.has(column.name)).map((column) => [column.name, column]),
  )
  const named = new Set<string>()
  for (const [key, value] of pairsOf(row)) {
    const name = String(key.value)
    named.add(name)
    if (name === 'symbol' && !columns.has(name)) continue
    const column = columns.get(name)
    if (column === undefined) {
      refuse(
        `makes the field "${name}", which "${schema.name}" does not have`,
        `Use ${quoted(['symbol', ...columns.keys()])}.`,
      )
      continue
    }
    const [needs, sort] = [NEEDS[column.kind], sortOf(value)]
    const fits = sort === 'unknown' || sort === needs || (needs === 'list' && sort === 'number')
    if (!fits) {
      refuse(
        `makes ${sort === 'object' ? 'an' : 'a'} ${sort} of "${schema.name}.${name}", which is a ${needs}`,
        needs === 'number'
          ? 'Use $number(...).'
          : needs === 'text'
            ? 'Use $string(...).'
            : `Make it a ${needs}.`,
      )
    }
    const odd = literalsOf(value).find((one) => column.kind === 'choice' && !column.values.includes(one))
    if (odd !== undefined) {
      refuse(`makes "${odd}" of "${schema.name}.${name}"`, `Use one of ${quoted(column.values)}.`)
    }
  }
  const needed = [...columns.values()]
    .filter((column) => !column.nullable && column.kind !== 'floats')
    .map((column) => column.name)
  if (schema.columns.some((column) => column.name === 'instrument')) needed.unshift('symbol')
  const missing = needed.find((name) => !named.has(name))
  if (missing !== undefined) {
    refuse(`does not make "${schema.name}.${missing}"`, `Add "${missing}": ... to the row.`)
  }
}

/** The objects that an expression may come to, where that can be seen from its text. */
const objectsOf = (node: Tree): readonly Tree[] | undefined => {
  if (braces(node)) return [node]
  switch (node.type) {
    case 'condition': {
      const [yes, no] = [objectsOf(node.then as Tree), node.else === undefined ? [] : objectsOf(node.else)]
      return yes === undefined || no === undefined ? undefined : [...yes, ...no]
    }
    case 'path':
      return objectsOf(node.steps?.at(-1) as Tree)
    case 'block':
      return objectsOf(node.expressions?.at(-1) as Tree)
    case 'function': {
      const made = node.procedure?.value === 'map' ? node.arguments?.[1] : undefined
      return made?.type === 'lambda' ? objectsOf(made.body as Tree) : undefined
    }
    case 'unary': {
      const all = (node.value === '[' ? (node.expressions ?? []) : []).map(objectsOf)
      return all.length === 0 || all.includes(undefined) ? undefined : (all as (readonly Tree[])[]).flat()
    }
    default:
      return undefined
  }
}

const TEXTS: ReadonlySet<unknown> = new Set([
  'string',
  'lowercase',
  'uppercase',
  'trim',
  'substring',
  'substringBefore',
  'substringAfter',
  'join',
])
const NUMBERS: ReadonlySet<unknown> = new Set([
  'number',
  'count',
  'sum',
  'max',
  'min',
  'abs',
  'floor',
  'ceil',
  'round',
  'length',
])
const FLAGS: ReadonlySet<unknown> = new Set(['boolean', 'not', 'exists', 'contains'])

/** What an expression is sure to come to, if it comes to anything. */
const sortOf = (node: Tree): Sort => {
  if (node.predicate !== undefined || node.keepArray === true) return 'unknown'
  switch (node.type) {
    case 'string':
      return 'text'
    case 'number':
      return 'number'
    case 'value':
      return typeof node.value === 'boolean' ? 'flag' : 'unknown'
    case 'binary':
      return '+-*/%'.includes(String(node.value)) ? 'number' : node.value === '&' ? 'text' : 'flag'
    case 'unary':
      return node.value === '-' ? 'number' : node.value === '[' ? 'list' : 'object'
    case 'condition': {
      const [yes, no] = [sortOf(node.then as Tree), node.else === undefined ? undefined : sortOf(node.else)]
      return no === undefined || yes === no ? yes : 'unknown'
    }
    case 'block':
      return sortOf(node.expressions?.at(-1) as Tree)
    case 'function': {
      const name = node.procedure?.value
      return TEXTS.has(name) ? 'text' : NUMBERS.has(name) ? 'number' : FLAGS.has(name) ? 'flag' : 'unknown'
    }
    default:
      return 'unknown'
  }
}

const literalsOf = (node: Tree): readonly string[] => {
  if (node.type === 'string') return [String(node.value)]
  if (node.type !== 'condition') return []
  return [...literalsOf(node.then as Tree), ...(node.else === undefined ? [] : literalsOf(node.else))]
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ')
