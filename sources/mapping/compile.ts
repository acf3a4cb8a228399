import { GraphError } from '../../graph/error.ts'
import { builtins, chosen, mapped, text as toText, toNumber } from './function.ts'
import type { Builtin, Tally } from './function.ts'
import { holds, negative, operations } from './operation.ts'
import { braces, pairsOf, unthunked } from './tree.ts'
import type { Tree } from './tree.ts'
import {
  at, done, each, filter, focusOf, gathered, kept, list, lookup, path, place, wrapped,
} from './value.ts'

/** A part of a mapping as a function of the message and of what the reader binds (`$symbol`, `$received`). */
export type Compiled = (message: unknown, bound: Readonly<Record<string, unknown>>) => unknown

const library = {
  at, builtins, chosen, done, each, filter, focusOf, gathered, holds, kept, list, lookup, mapped, negative,
  operations, path, place, toNumber, toText,
}

/**
 * Turn an expression into JavaScript that gives what the interpreter would. What lies outside of the subset
 * is refused with a sentence, when the mapping is loaded.
 */
export const compile = (file: string, part: string, tree: Tree, tally: Tally): {
  readonly run: Compiled; readonly code: string
} => {
  const writer = new Writer(file, part)
  const body = writer.expression(tree, 'v')
  const code = `'use strict'\n${writer.lines.join('\n')}\nreturn (v, c) => ${body}`
  const run = new Function('k', 'tally', code)(library, tally) as (focus: unknown, scope: object) => unknown
  return { code, run: (message, bound) => run(wrapped(message), { root: message, bound }) }
}

const text = (value: unknown): string => (Object.is(value, -0) ? '-0' : JSON.stringify(value))
const inherited = (name: string): boolean => name in {}

class Writer {
  /** Functions that depend on nothing but their arguments, so that they are made once. */
  readonly lines: string[] = []
  readonly #file: string
  readonly #part: string
  #count = 0
  /** Variables in reach, by name; each has its own name in the code. */
  #locals: ReadonlyMap<string, string> = new Map()

  constructor(file: string, part: string) {
    this.#file = file
    this.#part = part
  }

  expression(node: Tree, v: string): string {
    for (const odd of ['group', 'focus', 'index', 'ancestor'] as const) {
      if (node[odd] !== undefined) this.#refuse(node, odd)
    }
    const [only] = node.predicate ?? []
    if (
      node.type === 'variable' && node.value === '' && node.predicate?.length === 1 && node.keepArray !== true
    ) {
      if (only?.expr?.type === 'number') return `k.place(${v}, ${Math.floor(Number(only.expr.value))})`
    }
    let code = this.#plain(node, v)
    for (const by of node.predicate ?? []) {
      const single = by.expr?.type === 'number' && node.predicate?.length === 1
      const place = Math.floor(Number(by.expr?.value))
      code = single ? `k.at(${code}, ${place})` : `k.filter(${code}, ${this.#filter(by)}, c)`
    }
    if (node.keepArray === true) return `k.kept(${code})`
    return (node.predicate?.length ?? 0) > 0 ? `k.done(${code})` : code
  }

  #plain(node: Tree, v: string): string {
    switch (node.type) {
      case 'path': return this.#path(node, v)
      case 'name': return `k.done(k.lookup(${v}, ${text(node.value)}))`
      case 'string':
      case 'number':
      case 'value': return text(node.value)
      case 'variable': return this.#variable(node, v)
      case 'binary': return this.#binary(node, v)
      case 'unary': return this.#unary(node, v)
      case 'condition': return this.#condition(node, v)
      case 'block': return this.#block(node, v)
      case 'function': return this.#call(node, v)
      default: return this.#refuse(node, node.type)
    }
  }

  #variable(node: Tree, v: string): string {
    const name = String(node.value)
    if (name === '') return `k.done(k.focusOf(${v}))`
    if (name === '$') return 'c.root'
    const local = this.#locals.get(name)
    if (local !== undefined) return `k.done(${local})`
    if (BOUND.includes(name)) return `c.bound.${name}`
    return this.#refuse(node, `variable $${name}, which nothing sets`)
  }

  #binary(node: Tree, v: string): string {
    const [left, right] = [this.expression(node.lhs as Tree, v), this.expression(node.rhs as Tree, v)]
    if (node.value === 'and') return `(k.holds(${left}) && k.holds(${right}))`
    if (node.value === 'or') return `(k.holds(${left}) || k.holds(${right}))`
    if (operations[String(node.value)] === undefined) {
      return this.#refuse(node, `operator ${String(node.value)}`)
    }
    return `${this.#once(`k.operations[${text(node.value)}]`)}(${left}, ${right})`
  }

  #unary(node: Tree, v: string): string {
    if (node.value === '-') return `k.negative(${this.expression(node.expression as Tree, v)})`
    if (braces(node)) return this.#object(node, v)
    if (node.value !== '[') return this.#refuse(node, `operator ${String(node.value)}`)
    const parts = node.expressions ?? []
    const codes = parts.map((part) => this.expression(part, v))
    const brackets = parts.map((part) => part.type === 'unary' && part.value === '[')
    return `k.list([${codes.join(', ')}], ${text(brackets)}, ${node.consarray === true})`
  }

  #object(node: Tree, v: string): string {
    const names = pairsOf(node).map(
      ([name]) =>
        (name.type === 'string' ? String(name.value) : this.#refuse(name, 'a key that is computed')),
    )
    if (new Set(names).size < names.length) return this.#refuse(node, 'an object with a key twice')
    const values = pairsOf(node).map(([, value]) => this.expression(value, 'o'))
    const puts = names.map((name, i) => `x = ${values[i]}; if (x !== undefined) r[${text(name)}] = x`)
    const make = this.#function('o', `{ let x; const r = {}; ${puts.join('; ')}; return r }`)
    return `${make}(Array.isArray(${v}) ? k.gathered(${v}) : ${v}, c)`
  }

  #condition(node: Tree, v: string): string {
    const otherwise = node.else === undefined ? 'undefined' : this.expression(node.else, v)
    const [condition, then] = [node.condition as Tree, node.then as Tree]
    return `(k.holds(${this.expression(condition, v)}) ? ${this.expression(then, v)} : ${otherwise})`
  }

  #block(node: Tree, v: string): string {
    const outer = this.#locals
    const [names, parts]: [string[], string[]] = [[], []]
    for (const part of node.expressions ?? []) {
      if (part.type !== 'bind') {
        parts.push(this.expression(part, v))
        continue
      }
      const code = this.expression(part.rhs as Tree, v)
      const local = this.#fresh('x')
      this.#locals = new Map([...this.#locals, [String((part.lhs as Tree).value), local]])
      names.push(local)
      parts.push(`${local} = ${code}`)
    }
    this.#locals = outer
    if (parts.length === 0) return 'undefined'
    const value = `(${parts.join(', ')})`
    return names.length === 0 ? value : `(() => { let ${names.join(', ')}; return ${value} })()`
  }

  #call(node: Tree, v: string): string {
    const procedure = node.procedure as Tree
    const name = String(procedure.value)
    const args = node.arguments ?? []
    if (procedure.type !== 'variable' || this.#locals.has(name)) {
      return this.#refuse(node, 'a call of a computed function')
    }
    if (name === 'map' || name === 'filter') return this.#higher(node, name, args, v)
    const builtin = Object.hasOwn(builtins, name) ? builtins[name] : undefined
    if (builtin === undefined) return this.#refuse(node, `function $${name}`)
    const codes = args.map((arg) => this.expression(arg, v))
    if (codes.length === 0 && builtin.focus) codes.push(`k.focusOf(${v})`)
    if (codes.length < builtin.min || codes.length > builtin.max) {
      return this.#refuse(node, `$${name} with ${args.length} arguments`)
    }
    // These two are in every message, and never make a list.
    if (name === 'number') return `k.toNumber(${codes[0]}, tally)`
    if (name === 'string' && codes.length === 1) return `k.toText(${codes[0]})`
    return `k.done(${this.#builtin(name)}([${codes.join(', ')}], tally))`
  }

  #higher(node: Tree, name: string, args: readonly Tree[], v: string): string {
    const [values, of] = args
    if (values === undefined || of === undefined || args.length > 2) {
      return this.#refuse(node, `$${name} with ${args.length} arguments`)
    }
    const over = this.expression(values, v)
    return `k.done(k.${name === 'map' ? 'mapped' : 'chosen'}(${over}, ${this.#lambda(of, v)}))`
  }

  #lambda(node: Tree, v: string): string {
    if (node.type === 'variable') {
      const named: Builtin | undefined = builtins[String(node.value)]
      if (named === undefined || named.max !== 1) {
        return this.#refuse(node, `$${String(node.value)} as an argument`)
      }
      return `(x) => ${this.#builtin(String(node.value))}([x], tally)`
    }
    if (node.type !== 'lambda' || node.thunk === true) return this.#refuse(node, `${node.type} as a function`)
    const outer = this.#locals
    const names = (node.arguments ?? []).map(
      (argument) => [String(argument.value), this.#fresh('x')] as const,
    )
    this.#locals = new Map([...outer, ...names])
    const body = this.expression(unthunked(node.body as Tree), v)
    this.#locals = outer
    return `(${names.map(([, local]) => local).join(', ')}) => ${body}`
  }

  #path(node: Tree, v: string): string {
    const steps = node.steps ?? []
    for (const step of steps) {
      if (step.type === 'sort') this.#refuse(step, 'sorting')
      for (const odd of ['focus', 'index', 'ancestor', 'group'] as const) {
        if (step[odd] !== undefined) this.#refuse(step, odd)
      }
    }
    const names = steps.findIndex(
      (step) => step.type !== 'name' || step.stages !== undefined || step.keepArray === true,
    )
    const plain = names < 0 ? steps.length : names
    const last = steps[plain]
    const odd = last !== undefined && (
      last.stages !== undefined || last.consarray === true || last.keepArray === true
    )
    if (node.keepSingletonArray === true || plain === 0 || plain < steps.length - 1 || odd) {
      return this.#walk(node, v)
    }
    return this.#short(steps.slice(0, plain), last, this.#function('v', this.#walk(node, 'v')), v)
  }

  /**
   * Names from object to object, which is nearly every path of a mapping; a list on the way sends it to the
   * walk.
   */
  #short(names: readonly Tree[], last: Tree | undefined, slow: string, v: string): string {
    let code = 'let w = v; '
    for (const { value } of names) {
      const key = text(value)
      code += `if (w === null || typeof w !== 'object') return undefined; `
      code += `if (Array.isArray(w)) return ${slow}(v, c); `
      code += inherited(String(value))
        ? `w = Object.hasOwn(w, ${key}) ? w[${key}] : undefined; `
        : `w = w[${key}]; `
    }
    if (last === undefined) return `${this.#function('v', `{ ${code}return w }`)}(${v}, c)`
    const run = this.#function('v', this.expression(last, 'v'))
    return `${this.#function('v', `{ ${code}return k.each(w, ${run}, c) }`)}(${v}, c)`
  }

  #walk(node: Tree, v: string): string {
    const steps = (node.steps ?? []).map((step) => {
      const { stages: _, ...plain } = step
      const filters = (step.stages ?? []).map((by) => this.#filter(by))
      const run = this.#function('v', this.expression(plain, 'v'))
      return `{ run: ${run}, list: ${step.consarray === true}, filters: [${filters.join(', ')}] }`
    })
    const absolute = node.steps?.[0]?.type === 'variable'
    const keep = node.keepSingletonArray === true
    return `k.path(${v}, c, ${this.#once(`[${steps.join(', ')}]`)}, ${absolute}, ${keep})`
  }

  #filter(by: Tree): string {
    if (by.type !== 'filter') return this.#refuse(by, by.type)
    const predicate = by.expr as Tree
    return predicate.type === 'number'
      ? String(Number(predicate.value))
      : this.#function('v', this.expression(predicate, 'v'))
  }

  /**
   * A function of a focus. Where variables are in reach it stays where it is written; else it is made once.
   */
  #function(v: string, body: string): string {
    return this.#once(`(${v}, c) => ${body}`)
  }

  #once(code: string): string {
    if (this.#locals.size > 0) return `(${code})`
    const name = this.#fresh('f')
    this.lines.push(`const ${name} = ${code}`)
    return name
  }

  #builtin(name: string): string {
    const constant = `b_${name}`
    const line = `const ${constant} = k.builtins.${name}.call`
    if (!this.lines.includes(line)) this.lines.unshift(line)
    return constant
  }

  #fresh(letter: string): string {
    this.#count += 1
    return `${letter}${this.#count}`
  }

  #refuse(node: Tree, what: string): never {
    throw new GraphError('KT2002', `the mapping of "${this.#part}" uses ${what}, which kt does not compile`, {
      where: `${this.#file}, character ${node.position ?? 0} of the part`,
      fix: 'Write it with paths, predicates, objects, conditions, arithmetic, $map, $filter, text functions.',
    })
  }
}

/** What the reader binds for every message. */
const BOUND = ['symbol', 'received', 'limit']
