import type { Leaf, Listing, Tuple } from './shape.ts'
import { constant, lift, NOTHING, partOf, undefinedly, Unscannable, valueOf } from './symbol.ts'
import type { Constant, Test, Use, Value } from './symbol.ts'
import { braces, pairsOf } from './tree.ts'
import type { Tree } from './tree.ts'

/** Evaluate a mapping over a shape. Throws Unscannable where a value cannot be had without the message. */
export class Symbolic {
  readonly uses = new Map<Leaf, Use>()
  /** Lists that the example had none of, and that the mapping takes for levels of a book. */
  readonly assumed = new Map<Listing, Tuple>()
  #locals: ReadonlyMap<string, Value> = new Map()

  use(leaf: Leaf): Use {
    const known = this.uses.get(leaf)
    if (known !== undefined) return known
    const made = {
      name: `_${this.uses.size}`, number: false, text: false, flag: false, pinned: false, empty: false,
    }
    this.uses.set(leaf, made)
    return made
  }

  evaluate(node: Tree, focus: Value): Value {
    for (const odd of ['group', 'focus', 'index', 'ancestor', 'keepArray', 'keepSingletonArray'] as const) {
      if (node[odd] !== undefined && node[odd] !== false) throw new Unscannable(`"${odd}" of a path`)
    }
    if (node.type === 'variable') return this.#variable(node, focus)
    if ((node.predicate ?? []).length > 0) throw new Unscannable('a predicate')
    switch (node.type) {
      case 'path': return this.#path(node.steps ?? [], focus)
      case 'name': return this.#member(focus, String(node.value))
      case 'string':
      case 'number':
      case 'value': return constant(node.value as Constant)
      case 'binary': return this.#binary(node, focus)
      case 'condition': return this.#condition(node, focus)
      case 'block': return this.#block(node, focus)
      case 'function': return this.#call(node, focus)
      case 'unary': return this.#unary(node, focus)
      default: throw new Unscannable(`"${node.type}"`)
    }
  }

  /** As a number, in code. */
  number(value: Value): string | undefined {
    if (value.is === 'number') return value.code
    if (value.is === 'constant' && typeof value.value === 'number') return `(${value.value})`
    if (value.is !== 'leaf' || value.leaf.kind !== 'number') return undefined
    const use = this.use(value.leaf)
    use.number = true
    return `n${use.name}`
  }

  /** Where a text stands, by the names of its bounds. */
  text(leaf: Leaf): readonly [from: string, to: string] {
    const use = this.use(leaf)
    use.text = true
    return [`s${use.name}`, `e${use.name}`]
  }

  flag(leaf: Leaf): string {
    const use = this.use(leaf)
    use.flag = true
    return `f${use.name}`
  }

  /** Is a text of the message this one? */
  says(leaf: Leaf, text: string): string {
    const [from, to] = this.text(leaf)
    const bytes = Array.from(text, (_, i) => `b[${from}+${i}]===${text.charCodeAt(i)}`)
    return `(${[`${to}-${from}===${text.length}`, ...bytes].join('&&')})`
  }

  #variable(node: Tree, focus: Value): Value {
    const local = this.#locals.get(String(node.value))
    const value = node.value === '' ? focus : local
    if (value === undefined) throw new Unscannable(`$${String(node.value)}`)
    const [by, more] = node.predicate ?? []
    if (by === undefined) return value
    const place = by.expr?.type === 'number' ? Number(by.expr.value) : -1
    if (more !== undefined || value.is !== 'part' || value.shape.kind !== 'tuple' || place < 0)
      throw new Unscannable('a predicate')
    const leaf = value.shape.of[place]
    return leaf === undefined ? NOTHING : { is: 'leaf', leaf }
  }

  #path(steps: readonly Tree[], focus: Value): Value {
    let value = focus
    for (const [i, step] of steps.entries()) {
      if (step.stages !== undefined || step.consarray === true) throw new Unscannable('a filter of a path')
      if (step.type === 'name') value = this.#member(value, String(step.value))
      else if (i === steps.length - 1) value = this.#last(step, value)
      else throw new Unscannable('a path of more than names')
    }
    return value
  }

  /** The last step of a path runs for each member of a list. */
  #last(step: Tree, focus: Value): Value {
    if (focus.is === 'constant' && focus.value === undefined) return NOTHING
    if (focus.is !== 'part' || focus.shape.kind !== 'list') return this.evaluate(step, focus)
    const list = focus.shape
    const value = this.evaluate(step, partOf(list.of ?? this.#assume(list)))
    if (value.is === 'each') throw new Unscannable('lists within lists')
    return { is: 'each', list, value }
  }

  #assume(list: Listing): Tuple {
    const known = this.assumed.get(list)
    if (known !== undefined) return known
    const leaf = (): Leaf => ({ kind: 'text', example: '0' })
    const made: Tuple = { kind: 'tuple', of: [leaf(), leaf()] }
    this.assumed.set(list, made)
    return made
  }

  #member(of: Value, name: string): Value {
    if (of.is === 'constant') return NOTHING
    if (of.is === 'leaf') return NOTHING
    if (of.is !== 'part' || of.shape.kind !== 'object') throw new Unscannable('a path through a list')
    const found = of.shape.members.find(([key]) => key === name)
    return found === undefined ? NOTHING : partOf(found[1])
  }

  #unary(node: Tree, focus: Value): Value {
    if (!braces(node)) throw new Unscannable(`"${String(node.value)}"`)
    const fields = new Map<string, Value>()
    for (const [key, value] of pairsOf(node)) {
      if (key.type !== 'string' || fields.has(String(key.value))) throw new Unscannable('a computed key')
      fields.set(String(key.value), this.evaluate(value, focus))
    }
    return { is: 'object', fields }
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
    const [then, otherwise] = [node.then as Tree, node.else]
    const no = (): Value => (otherwise === undefined ? NOTHING : this.evaluate(otherwise, focus))
    if (typeof test === 'boolean') return test ? this.evaluate(then, focus) : no()
    const before = new Map([...this.uses].map(([leaf, use]) => [leaf, { ...use }]))
    try {
      return { is: 'either', test, yes: this.evaluate(then, focus), no: no() }
    } catch (error) {
      if (!(error instanceof Unscannable) || test.leaves === undefined) throw error
    }
    // One side is beyond us: messages of the example's side are scanned, the others are not.
    this.uses.clear()
    for (const [leaf, use] of before) this.uses.set(leaf, use)
    for (const leaf of test.leaves ?? []) this.use(leaf).pinned = true
    return test.example ? this.evaluate(then, focus) : no()
  }

  #test(value: Value): Test | boolean {
    if (value.is === 'test') return value
    if (value.is === 'constant' && (value.value === undefined || typeof value.value === 'boolean'))
      return value.value === true
    if (value.is !== 'leaf' || value.leaf.kind !== 'flag') throw new Unscannable('a condition of no test')
    return this.#flagTest(value.leaf, true)
  }

  #flagTest(leaf: Leaf, on: boolean): Test {
    return {
      is: 'test', code: `(${this.flag(leaf)}===${on ? 1 : 0})`, leaves: [leaf],
      example: (leaf.example === 'true') === on,
    }
  }

  #binary(node: Tree, focus: Value): Value {
    const [left, right] = [node.lhs as Tree, node.rhs as Tree].map((side) => this.evaluate(side, focus))
    const sign = String(node.value)
    if (sign === '=' || sign === '!=') return this.#equal(left!, right!, sign === '=')
    if (sign === 'and' || sign === 'or') return this.#both(left!, right!, sign === 'and')
    return lift(left!, (one) => lift(right!, (other) => this.#arithmetic(sign, one, other)))
  }

  #arithmetic(sign: string, left: Value, right: Value): Value {
    const ends = [left, right].some((side) => side.is === 'constant' && side.value === undefined)
    const [one, other] = [this.number(left), this.number(right)]
    const known = [left, right].every((side, i) => [one, other][i] !== undefined || undefinedly(side))
    if (!known) throw new Unscannable(`"${sign}" of other things than numbers`)
    if (ends) return NOTHING
    if (['+', '-', '*', '/'].includes(sign)) return { is: 'number', code: `(${one}${sign}${other})` }
    if (!['<', '<=', '>', '>='].includes(sign)) throw new Unscannable(`"${sign}"`)
    return { is: 'test', code: `(${one}${sign}${other})`, leaves: undefined, example: false }
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
      if (value === '') this.use(leaf).empty = true
      const code = `${not}${this.says(leaf, value)}`
      return { is: 'test', code, leaves: [leaf], example: (leaf.example === value) === equal }
    }
    if (of.is === 'leaf' && of.leaf.kind === 'flag' && typeof value === 'boolean')
      return this.#flagTest(of.leaf, value === equal)
    const number = typeof value === 'number' ? this.number(of) : undefined
    if (number === undefined) throw new Unscannable('a comparison of unlike things')
    return { is: 'test', code: `${not}(${number}===${String(value)})`, leaves: undefined, example: false }
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
    if (more !== undefined) throw new Unscannable(`$${name} of more than one value`)
    const value = first === undefined ? focus : this.evaluate(first, focus)
    if (name === 'number') return lift(value, (one) => this.#toNumber(one))
    if (name === 'string') return lift(value, (one) => this.#toText(one))
    if (name === 'exists') return constant(!undefinedly(value))
    throw new Unscannable(`$${name}`)
  }

  #toNumber(value: Value): Value {
    if (undefinedly(value)) return NOTHING
    const code = this.number(value)
    if (code !== undefined) return { is: 'number', code }
    if (value.is !== 'leaf' || value.leaf.kind !== 'text') throw new Unscannable('$number of no text')
    const use = this.use(value.leaf)
    use.number = true
    return { is: 'number', code: `n${use.name}` }
  }

  #toText(value: Value): Value {
    if (undefinedly(value) || (value.is === 'constant' && typeof value.value === 'string')) return value
    if (value.is !== 'leaf' || (value.leaf.kind !== 'text' && value.leaf.kind !== 'number'))
      throw new Unscannable('$string of no number')
    this.text(value.leaf)
    return { is: 'text', leaf: value.leaf }
  }
}
