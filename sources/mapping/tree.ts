import { GraphError } from '../../graph/error.ts'

/** A node of the tree that the jsonata package's parser makes, as far as mappings use it. */
export interface Tree {
  readonly type: string
  readonly value?: unknown
  readonly position?: number
  readonly steps?: readonly Tree[]
  readonly stages?: readonly Tree[]
  readonly predicate?: readonly Tree[]
  readonly expr?: Tree
  readonly expression?: Tree
  readonly expressions?: readonly Tree[]
  readonly arguments?: readonly Tree[]
  readonly procedure?: Tree
  readonly body?: Tree
  readonly lhs?: Tree | readonly (readonly [Tree, Tree])[]
  readonly rhs?: Tree
  readonly condition?: Tree
  readonly then?: Tree
  readonly else?: Tree
  readonly group?: unknown
  readonly keepArray?: boolean
  readonly keepSingletonArray?: boolean
  readonly consarray?: boolean
  readonly thunk?: boolean
  readonly focus?: unknown
  readonly index?: unknown
  readonly ancestor?: unknown
}

type Pair = readonly [Tree, Tree]

/** The keys and values of an object in braces. */
export const pairsOf = (node: Tree): readonly Pair[] => node.lhs as readonly Pair[]

export const braces = (node: Tree): boolean => node.type === 'unary' && node.value === '{'

/** The parts of a mapping file: what is written for each channel, seed and listing. */
export const partsOf = (file: string, tree: unknown): ReadonlyMap<string, Tree> => {
  const whole = tree as Tree
  if (!braces(whole)) {
    throw new GraphError('KT2001', `mapping "${file}" is not one object of channels`, {
      where: file,
      fix: 'Write { "trade": { "trade": { ... } }, "listing": [ ... ] }.',
    })
  }
  const parts = new Map<string, Tree>()
  for (const [name, part] of pairsOf(whole)) {
    if (name.type !== 'string' || parts.has(String(name.value))) {
      throw new GraphError('KT2001', `mapping "${file}" has a part whose name is computed, or used twice`, {
        where: file,
        fix: 'Name each part once, with a text in quotes.',
      })
    }
    parts.set(String(name.value), part)
  }
  return parts
}

/** The parser wraps a call at the end of a function, so that the interpreter need not nest. */
export const unthunked = (node: Tree): Tree => {
  if (node.type === 'lambda' && node.thunk === true) return unthunked(node.body as Tree)
  if (node.type === 'condition') {
    const rest = node.else === undefined ? {} : { else: unthunked(node.else) }
    return { ...node, then: unthunked(node.then as Tree), ...rest }
  }
  if (node.type === 'block') {
    return {
      ...node,
      expressions: (node.expressions ?? []).map((part, i, all) =>
        i < all.length - 1 ? part : unthunked(part),
      ),
    }
  }
  return node
}
