import type { Leaf } from './shape.ts'
import {
  ARITHMETIC, BOUND, COMPARISONS, constant, CUTS, lift, mostOf, not, NOTHING, partOf, READ_MAX, undefinedly,
  Unscannable, valueOf, WHOLE,
} from './symbol.ts'
import type { Amount, Constant, Test, Value } from './symbol.ts'
import { braces, pairsOf } from './tree.ts'
import type { Tree } from './tree.ts'
import { Uses } from './use.ts'

/** Evaluate a mapping over a shape. Throws Unscannable where a value cannot be had without the message. */
export class Symbolic {
  readonly uses: Uses
  #locals: ReadonlyMap<string, Value> = new Map()
  /** Texts that are not empty where the expression at hand is evaluated. */
  #filled: ReadonlySet<Leaf> = new Set()

  /** `optional`: what messages may leave out. */
  constructor(optional: ReadonlySet<Leaf>) { this.uses = new Uses(optional) }

  evaluate(node: Tree, focus: Value): Value {
    for (const odd of ['group', 'focus', 'index', 'ancestor', 'keepArray', 'keepSingletonArray'] as const) {
      if (node[odd] !== undefined && node[odd] !== false) throw new Unscannable(`"${odd}" of a path`)
    }
    if (node.type === 'variable') return this.#variable(node, focus)
    if ((node.predicate ?? []).length > 0) throw new Unscannable('a predicate')
    switch (node.type) {
      case 'path': return this.#path(node.steps ?? [], focus)
      case 'name': return this.#member(focus, String(node.value))
      case 'string': case 'number': case 'value': return constant(node.value as Constant)
      case 'binary': return this.#binary(node, focus)
      case 'condition': return this.#condition(node, focus)
      case 'block': return this.#block(node, focus)
      case 'function': return this.#call(node, focus)
      case 'unary': return this.#unary(node, focus)
      default: throw new Unscannable(`"${node.type}"`)
    }
  }

  #variable(node: Tree, focus: Value): Value {
    const local = this.#locals.get(String(node.value))
    const value = node.value === '' ? focus : (local ?? BOUND.get(String(node.value)))
    if (value === undefined) throw new Unscannable(`$${String(node.value)}`)
    const [by, more] = node.predicate ?? []
    if (by === undefined) return value
    if (more !== undefined || value.is !== 'part' || value.shape.kind !== 'tuple')
      throw new Unscannable('a predicate')
    return this.#at(value, by)
  }

  /** The member of a value that stands at a place. */
  #at(value: Value, by: Tree): Value {
    if (by.expr?.type !== 'number') throw new Unscannable('a predicate')
    const place = Math.floor(Number(by.expr.value))
    if (undefinedly(value)) return NOTHING
    const first = place === 0 || place === -1
    if (value.is === 'leaf' || (value.is === 'part' && value.shape.kind === 'object'))
      return first ? value : NOTHING
    if (value.is !== 'part') throw new Unscannable('a predicate')
    const { shape } = value
    if (shape.kind === 'tuple') {
      const leaf = shape.of[place < 0 ? shape.of.length + place : place]
      return leaf === undefined ? NOTHING : { is: 'leaf', leaf }
    }
    if (shape.kind !== 'list' || !first) throw new Unscannable('a predicate')
    const code = `(${this.uses.single(shape)}>0)`
    const test: Test = { is: 'test', code, leaves: undefined, example: false }
    return { is: 'either', test, yes: partOf(shape.of ?? this.uses.assume(shape)), no: NOTHING }
  }

  #path(steps: readonly Tree[], focus: Value): Value {
    let value = focus
    for (const [i, step] of steps.entries()) {
      const last = i === steps.length - 1
      if ((step.stages !== undefined && !last) || step.consarray === true || step.keepArray === true)
        throw new Unscannable('a filter of a path')
      if (step.type === 'name') {
        value = this.#member(value, String(step.value))
        for (const by of step.stages ?? []) value = lift(value, (one) => this.#at(one, by))
      } else if (step.stages !== undefined) throw new Unscannable('a filter of a path')
      else if (last) value = this.#last(step, value)
      else throw new Unscannable('a path of more than names')
    }
    return value
  }

  /** The last step of a path runs for each member of a list. */
  #last(step: Tree, focus: Value): Value {
    if (focus.is === 'constant' && focus.value === undefined) return NOTHING
    if (focus.is === 'part' && focus.shape.kind === 'tuple') throw new Unscannable('a path through a list')
    if (focus.is !== 'part' || focus.shape.kind !== 'list') return this.evaluate(step, focus)
    const list = focus.shape
    const value = this.evaluate(step, partOf(list.of ?? this.uses.assume(list)))
    if (value.is === 'each') throw new Unscannable('lists within lists')
    return { is: 'each', list, value }
  }

  #member(of: Value, name: string): Value {
    if (of.is === 'constant' || of.is === 'leaf') return NOTHING
    if (of.is !== 'part' || of.shape.kind !== 'object') throw new Unscannable('a path through a list')
    const found = of.shape.members.find(([key]) => key === name)
    return found === undefined || found[1] === this.uses.absent ? NOTHING : partOf(found[1])
  }

  #unary(node: Tree, focus: Value): Value {
    if (node.value === '-')
      return lift(this.evaluate(node.expression as Tree, focus), (one) => this.#negative(one))
    if (!braces(node)) throw new Unscannable(`"${String(node.value)}"`)
    const fields = new Map<string, Value>()
    for (const [key, value] of pairsOf(node)) {
      if (key.type !== 'string' || fields.has(String(key.value))) throw new Unscannable('a computed key')
      fields.set(String(key.value), this.uses.field(() => this.evaluate(value, focus)))
    }
    return { is: 'object', fields }
  }

  #negative(value: Value): Value {
    if (undefinedly(value)) return NOTHING
    const amount = this.#operand(value)
    return { ...amount, code: `(-${amount.code})` }
  }

  #block(node: Tree, focus: Value): Value {
    const outer = this.#locals
    let last = NOTHING
    for (const part of node.expressions ?? []) {
      last = this.evaluate(part.type === 'bind' ? (part.rhs as Tree) : part, focus)
      if (part.type === 'bind')
        this.#locals = new Map([...this.#locals, [String((part.lhs as Tree).value), last]])
    }
    this.#locals = outer
    return last
  }

  #condition(node: Tree, focus: Value): Value {
    const test = this.#test(this.evaluate(node.condition as Tree, focus))
    const side = (yes: boolean): Value => {
      const chosen = yes ? (node.then as Tree) : node.else
      const outer = this.#filled
      if (typeof test === 'object' && test.filled?.when === yes)
        this.#filled = new Set([...outer, test.filled.leaf])
      const value = chosen === undefined ? NOTHING : this.evaluate(chosen, focus)
      this.#filled = outer
      return value
    }
    if (typeof test === 'boolean') return side(test)
    const [undo, locals, filled] = [this.uses.save(), this.#locals, this.#filled]
    try {
      return { is: 'either', test, yes: side(true), no: side(false) }
    } catch (error) {
      if (!(error instanceof Unscannable) || test.leaves === undefined) throw error
    }
    // One side is beyond us: messages of the example's side are scanned, the others are not.
    this.#locals = locals
    this.#filled = filled
    undo()
    for (const leaf of test.leaves) this.uses.use(leaf).pinned = true
    return side(test.example)
  }

  #test(value: Value): Test | boolean {
    if (value.is === 'test') return value
    if (value.is === 'constant' && (value.value === undefined || typeof value.value === 'boolean'))
      return value.value === true
    if (value.is !== 'leaf' || value.leaf.kind !== 'flag') throw new Unscannable('a condition of no test')
    return this.#flagTest(value.leaf, true)
  }

  #flagTest(leaf: Leaf, on: boolean): Test {
    const code = `(${this.uses.flag(leaf)}===${on ? 1 : 0})`
    return { is: 'test', code, leaves: [leaf], example: (leaf.example === 'true') === on }
  }

  #binary(node: Tree, focus: Value): Value {
    const [left, right] = [node.lhs as Tree, node.rhs as Tree].map((side) => this.evaluate(side, focus))
    const sign = String(node.value)
    if (sign === '=' || sign === '!=') return this.#equal(left!, right!, sign === '=')
    if (sign === 'and' || sign === 'or') return this.#both(left!, right!, sign === 'and')
    return lift(left!, (one) => lift(right!, (other) => this.#arithmetic(sign, one, other)))
  }

  #arithmetic(sign: string, left: Value, right: Value): Value {
    const arithmetic = ARITHMETIC.has(sign)
    if (!arithmetic && !COMPARISONS.has(sign)) throw new Unscannable(`"${sign}"`)
    const [one, other] = [left, right].map((side) => {
      if (undefinedly(side)) return undefined
      return arithmetic ? this.#operand(side) : this.#amount(side)
    })
    if (one === undefined || other === undefined) return NOTHING
    const code = `(${one.code}${sign}${other.code})`
    if (!arithmetic) return { is: 'test', code, leaves: undefined, example: false }
    return { is: 'number', code, most: mostOf(sign, one, other), least: 0 }
  }

  #amount(value: Value): Amount {
    const amount = this.uses.number(value)
    if (amount === undefined) throw new Unscannable('arithmetic of other things than numbers')
    return amount
  }

  /** Arithmetic on what is no number is an error, which only another tier can tell. */
  #operand(value: Value): Amount {
    const amount = this.#amount(value)
    if (!Number.isFinite(amount.most)) throw new Unscannable('arithmetic on what may be no number')
    return amount
  }

  #equal(left: Value, right: Value, equal: boolean): Value {
    const [of, to] = left.is === 'constant' ? [right, left] : [left, right]
    if (undefinedly(of) || undefinedly(to)) return constant(false)
    if (to.is !== 'constant') throw new Unscannable('a comparison of two values of the message')
    if (of.is === 'constant') return constant((of.value === to.value) === equal)
    const { value } = to
    const not = equal ? '' : '!'
    if ((of.is === 'leaf' || of.is === 'text') && typeof value === 'string') {
      const { leaf } = of
      if (of.is === 'leaf' && leaf.kind !== 'text') return constant(!equal)
      if (value === '') this.uses.use(leaf).empty = true
      const code = `${not}${this.uses.says(leaf, value)}`
      const test: Test = { is: 'test', code, leaves: [leaf], example: (leaf.example === value) === equal }
      return value === '' ? { ...test, filled: { leaf, when: !equal } } : test
    }
    if (of.is === 'leaf' && of.leaf.kind === 'flag' && typeof value === 'boolean')
      return this.#flagTest(of.leaf, value === equal)
    const number = typeof value === 'number' ? this.uses.number(of) : undefined
    if (number === undefined) throw new Unscannable('a comparison of unlike things')
    const same = `(${number.code}===${String(value)})`
    return { is: 'test', code: `${not}${same}`, leaves: undefined, example: false }
  }

  #both(left: Value, right: Value, and: boolean): Value {
    const [one, other] = [this.#test(left), this.#test(right)]
    if (typeof one === 'boolean') return one === and ? valueOf(other) : constant(one)
    if (typeof other === 'boolean') return other === and ? one : constant(other)
    return {
      is: 'test', code: `(${one.code}${and ? '&&' : '||'}${other.code})`,
      leaves: one.leaves && other.leaves && [...one.leaves, ...other.leaves],
      example: and ? one.example && other.example : one.example || other.example,
    }
  }

  #call(node: Tree, focus: Value): Value {
    const name = String((node.procedure as Tree).value)
    const [first, more] = node.arguments ?? []
    if (CUTS.has(name) && first !== undefined && more !== undefined && node.arguments?.length === 2)
      return lift(this.evaluate(first, focus), (one) => this.#cut(one, this.evaluate(more, focus), name))
    if (more !== undefined) throw new Unscannable(`$${name} of more than one value`)
    const value = first === undefined ? focus : this.evaluate(first, focus)
    if (name === 'number') return lift(value, (one) => this.#toNumber(one))
    if (name === 'string') return lift(value, (one) => this.#toText(one))
    if (name === 'exists') return this.#exists(value)
    throw new Unscannable(`$${name}`)
  }

  /** A part of a text, where all that it hangs on stands at the beginning, which is pinned. */
  #cut(value: Value, by: Value, name: string): Value {
    const text = value.is === 'tail' || (value.is === 'leaf' && value.leaf.kind === 'text')
    if (!text || by.is !== 'constant' || typeof by.value !== 'string' || by.value === '')
      throw new Unscannable(`$${name} of what is no text`)
    const from = value.is === 'tail' ? value.from : 0
    const { leaf } = value
    const at = leaf.example.indexOf(by.value, from)
    if (at < 0) throw new Unscannable(`$${name} where there is none`)
    const use = this.uses.use(leaf)
    const end = at + by.value.length
    use.text = true
    use.prefix = Math.max(use.prefix, end)
    if (name === 'substringBefore') return constant(leaf.example.slice(from, at))
    return { is: 'tail', leaf, from: end }
  }

  #exists(value: Value): Value {
    if (value.is === 'each') throw new Unscannable('$exists of a list')
    if (value.is !== 'either') return constant(!undefinedly(value))
    const [yes, no] = [this.#exists(value.yes), this.#exists(value.no)]
    if (yes.is !== 'constant' || no.is !== 'constant') throw new Unscannable('$exists of many conditions')
    return yes.value === no.value ? yes : yes.value === true ? value.test : not(value.test)
  }

  #toNumber(value: Value): Value {
    if (undefinedly(value)) return NOTHING
    const amount = this.uses.number(value)
    if (amount !== undefined) return amount
    if (value.is === 'constant' && typeof value.value === 'string' && WHOLE.test(value.value))
      return constant(Number(value.value))
    if (value.is !== 'leaf' || value.leaf.kind !== 'text') throw new Unscannable('$number of no text')
    const use = this.uses.use(value.leaf)
    use.number = true
    if (!this.#filled.has(value.leaf)) use.strict = true
    return { is: 'number', code: `n${use.name}`, most: READ_MAX, least: 0 }
  }

  #toText(value: Value): Value {
    if (undefinedly(value) || (value.is === 'constant' && typeof value.value === 'string')) return value
    if (value.is !== 'leaf' || (value.leaf.kind !== 'text' && value.leaf.kind !== 'number'))
      throw new Unscannable('$string of no number')
    this.uses.text(value.leaf)
    return { is: 'text', leaf: value.leaf }
  }
}
