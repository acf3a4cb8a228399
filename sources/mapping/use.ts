import { differs } from './literal.ts'
import type { Leaf, Listing, Tuple } from './shape.ts'
import { leavesOf, READ_MAX, Unscannable } from './symbol.ts'
import type { Amount, Value } from './symbol.ts'

/** What a leaf is read for. */
export interface Use {
  readonly name: string
  number: boolean
  /** Where it begins and ends. */
  text: boolean
  flag: boolean
  /** Only messages that have what the example has are of the template. */
  pinned: boolean
  /** So many bytes of the example begin all messages of the template. */
  prefix: number
  /** It is compared with an empty text, so that it may be one. */
  empty: boolean
  /** Its number is asked for even where it may be empty, which is an error. */
  strict: boolean
  /** Is it there: some messages leave it out. */
  readonly optional: boolean
}

/** What is read of the messages of a shape. */
export class Uses {
  readonly #uses = new Map<Leaf, Use>()
  readonly #assumed = new Map<Listing, Tuple>()
  readonly #singles = new Map<Listing, string>()
  /** What messages may leave out. */
  readonly #optional: ReadonlySet<Leaf>
  /** What the field at hand hangs on. */
  #seen: Set<Leaf> | undefined
  /** What is left out in what is being evaluated. */
  absent: Leaf | undefined
  /** What is asked for now is told by tests of its own whether it is there. */
  evaluated = false

  constructor(optional: ReadonlySet<Leaf>) {
    this.#optional = optional
  }

  get all(): Iterable<Use> {
    return this.#uses.values()
  }

  /** What a leaf is read for; undefined: for nothing. */
  of(leaf: Leaf): Use | undefined {
    return this.#uses.get(leaf)
  }

  use(leaf: Leaf): Use {
    const optional = this.#optional.has(leaf)
    if (optional && this.#seen === undefined && !this.evaluated)
      throw new Unscannable('a value that hangs on what may be absent')
    this.#seen?.add(leaf)
    const known = this.#uses.get(leaf)
    if (known !== undefined) return known
    const made: Use = {
      name: `_${this.#uses.size}`,
      number: false,
      text: false,
      flag: false,
      pinned: false,
      prefix: 0,
      empty: false,
      strict: false,
      optional,
    }
    this.#uses.set(leaf, made)
    return made
  }

  /** A field, which may hang on one value that messages may leave out. */
  field(evaluate: () => Value): Value {
    if (this.#optional.size === 0) return evaluate()
    const outer = this.#seen
    this.#seen = new Set()
    const there = evaluate()
    const seen = new Set([...this.#seen, ...leavesOf(there)])
    const [leaf, more] = [...seen].filter((one) => this.#optional.has(one))
    if (more !== undefined) throw new Unscannable('a value that hangs on several that may be absent')
    const name = leaf && this.use(leaf).name
    this.absent = leaf
    const absent = leaf && evaluate()
    this.absent = undefined
    this.#seen = outer
    if (absent === undefined) return there
    const code = `(g${name}===1)`
    return {
      is: 'either',
      test: { is: 'test', code, leaves: undefined, example: true },
      yes: there,
      no: absent,
    }
  }

  /** Go back to the uses of now. */
  save(): () => void {
    const before = [...this.#uses].map(([leaf, use]) => [leaf, { ...use }] as const)
    return () => {
      this.#uses.clear()
      for (const [leaf, use] of before) this.#uses.set(leaf, use)
    }
  }

  /** What a list has that the example had empty: the mapping takes its members for levels of a book. */
  assume(list: Listing): Tuple {
    const known = this.#assumed.get(list)
    if (known !== undefined) return known
    const leaf = (): Leaf => ({ kind: 'text', example: '0' })
    const made: Tuple = { kind: 'tuple', of: [leaf(), leaf()] }
    this.#assumed.set(list, made)
    return made
  }

  assumed(list: Listing): Tuple | undefined {
    return this.#assumed.get(list)
  }

  /** The first member of a list is asked for: the variable of how many it has, which may be one at most. */
  single(list: Listing): string {
    const known = this.#singles.get(list) ?? `c_${this.#singles.size}`
    this.#singles.set(list, known)
    return known
  }

  get singles(): ReadonlyMap<Listing, string> {
    return this.#singles
  }

  /** As a number, in code. */
  number(value: Value): Amount | undefined {
    if (value.is === 'number') return value
    if (value.is === 'constant' && typeof value.value === 'number') {
      const size = Math.abs(value.value)
      const code = Object.is(value.value, -0) ? '(-0)' : `(${value.value})`
      return { is: 'number', code, most: size, least: size }
    }
    if (value.is !== 'leaf' || value.leaf.kind !== 'number') return undefined
    const use = this.use(value.leaf)
    use.number = true
    return { is: 'number', code: `n${use.name}`, most: READ_MAX, least: 0 }
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
    return `(${to}-${from}===${text.length}&&${this.begins(leaf, text)})`
  }

  /** Does a text of the message begin so? Behind it stands a quote, which no beginning has. */
  begins(leaf: Leaf, text: string): string {
    const [from] = this.text(leaf)
    if (text === '') return 'true'
    return PLAIN.test(text) ? `!(${differs(text, from)})` : 'false'
  }

  /** What tells the messages of a template from others of their shape. */
  get pins(): string {
    return [...this.#uses]
      .flatMap(([leaf, { name, pinned, prefix }]) =>
        pinned || prefix > 0 ? [`${name} ${pinned ? leaf.example : leaf.example.slice(0, prefix)}`] : [],
      )
      .join('\n')
  }
}

/** Only such texts are scanned. */
const PLAIN = /^[\x20-\x7e]*$/
