import type { Cells } from '../../graph/row.ts'
import { memoryOf, viewed } from './memory.ts'
import type { Memory } from './memory.ts'
import { compileScanner } from './scanner.ts'
import type { Scan, Scanner } from './scanner.ts'
import { rowWidth } from './scan-row.ts'
import { joined, patchOf, shapeKey, shapeOf, Shapeless, sizeOf } from './shape.ts'
import type { Shape } from './shape.ts'
import { Unscannable } from './symbol.ts'
import type { Tree } from './tree.ts'

/** Messages by the tier that read them, and what was learned. */
export interface TierCounts {
  scanned: number
  /** Parsed whole, because no template fitted. */
  parsed: number
  templates: number
  /** Why messages were parsed whole: how many of each reason. */
  readonly reasons: Map<string, number>
}

export const tierCounts = (): TierCounts => ({ scanned: 0, parsed: 0, templates: 0, reasons: new Map() })

export const countParsed = (tiers: TierCounts, why: string): void => {
  const { reasons } = tiers
  const reason = reasons.size < REASONS_MAX || reasons.has(why) ? why : 'other reasons'
  tiers.parsed++
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
}

/** What was learned of a channel: a new shape, and the code that scans it, or why none can. */
export type Learned = (shape: string, refused: string | undefined, code: string) => void

const BYTES_MAX = 1 << 20
const TEMPLATES_MAX = 8
const ROWS_MAX = 1 << 16
/** A shape is learned when it comes a second time: a message that is one of its kind is not worth it. */
export const SEEN_MIN = 2
const SEEN_MAX = 64
const KNOWN_MAX = 256
const REASONS_MAX = 32
/** Keys and values of a shape. */
const SIZE_MAX = 2_000
/** After so many looks that taught nothing, only one message in so many is looked at. */
const LOOKS = 200

/** A copy of the message at hand, where its own memory is not known. */
const scratch = viewed(new ArrayBuffer(BYTES_MAX + 8))

/** The scanners of one channel: one for each shape that its messages have had. */
export class Templates {
  readonly targets: readonly Cells[]
  readonly width: number
  /** What the last scan wrote, `width` numbers a row; and the memory that its texts are in. */
  rows: Float64Array
  memory = scratch
  /** The last scan left its one row in the cells. */
  direct = false
  readonly #tree: Tree
  readonly #counts: TierCounts
  readonly #learned: Learned
  readonly #scanners: Scanner[] = []
  readonly #seen = new Map<string, number>()
  readonly #known = new Map<string, Known>()
  /** Messages say only what changed: one template takes all that differ in what they leave out. */
  readonly #patch: boolean
  readonly #unions: Union[] = []
  #looks = 0
  /** What the last look found; those that are not looked at will mostly be the same. */
  #why = ''

  constructor(tree: Tree, targets: readonly Cells[], counts: TierCounts, learned: Learned, patch = false) {
    this.#patch = patch
    this.#tree = tree
    this.targets = targets
    this.#counts = counts
    this.#learned = learned
    this.width = rowWidth(targets)
    this.rows = new Float64Array(this.width * 16)
  }

  /** Rows of a message, or -1 when no template fits it. */
  scan(bytes: Uint8Array, received: number, from = 0, to = bytes.length, limit = 0): number {
    if (this.#scanners.length === 0 || to - from > BYTES_MAX) return -1
    const memory = memoryOf(bytes, to)
    if (memory !== undefined) {
      const begin = bytes.byteOffset + from
      return this.#try(memory, begin, begin + to - from, received, limit)
    }
    scratch.bytes.set(to - from === bytes.length ? bytes : bytes.subarray(from, to))
    return this.#try(scratch, 0, to - from, received, limit)
  }

  /** A message was parsed whole, and was right: learn its shape, or say why not. */
  learn(bytes: Uint8Array): void {
    if (this.#looks <= LOOKS || this.#counts.parsed % LOOKS === 0) {
      this.#looks++
      this.#why = this.look(bytes)
    }
    countParsed(this.#counts, this.#why)
  }

  /** Learn the shape of a message. Returns why none of the templates so far took it. */
  look(bytes: Uint8Array): string {
    if (bytes.length > BYTES_MAX) return 'too long'
    try {
      const shape = shapeOf(bytes)
      if (sizeOf(shape) > SIZE_MAX) return 'a shape of many parts'
      return this.#patch ? this.#widen(patchOf(shape)) : this.#meet(shapeKey(shape), shape)
    } catch (error) {
      if (error instanceof Shapeless) return error.message
      throw error
    }
  }

  #try(memory: Memory, begin: number, end: number, received: number, limit: number): number {
    const scanners = this.#scanners
    this.memory = memory
    for (let at = 0; at < scanners.length; at++) {
      const { scan, direct } = scanners[at]!
      const found = this.#run(scan, memory, begin, end, received, limit)
      if (found < 0) continue
      this.direct = direct
      // The template that fits most often comes to be tried first.
      if (at > 0) [scanners[at - 1], scanners[at]] = [scanners[at]!, scanners[at - 1]!]
      return found
    }
    return -1
  }

  #run(
    scan: Scan,
    { bytes, view }: Memory,
    begin: number,
    end: number,
    received: number,
    limit: number,
  ): number {
    try {
      for (;;) {
        const found = scan(bytes, view, begin, end, this.rows, received, limit)
        if (found !== -2) return found
        if (this.rows.length >= ROWS_MAX * this.width) return -1
        this.rows = new Float64Array(this.rows.length * 2)
      }
    } catch (error) {
      // A text that does not end was followed to the end of the memory.
      if (error instanceof RangeError) return -1
      throw error
    }
  }

  #meet(key: string, shape: Shape): string {
    const known = this.#known.get(key)
    const seen = (known?.seen ?? this.#seen.get(key) ?? 0) + 1
    if (known === undefined) {
      // Those that came once make room, so that a shape that is new after months is learned as well.
      if (this.#seen.size >= SEEN_MAX) this.#seen.clear()
      this.#seen.set(key, seen)
      if (seen < SEEN_MIN) return 'a new shape'
    } else {
      known.seen = seen
      // Another message of it may go another way through the conditions; the longer not, the less likely.
      if ((seen & (seen - 1)) !== 0) return known.refused ?? VALUE
    }
    if (this.#scanners.length >= TEMPLATES_MAX) return known?.refused ?? 'more shapes than are kept'
    return this.#compile(key, shape, seen)
  }

  /** A message that leaves out other things than those before widens a template of theirs. */
  #widen(shape: Shape): string {
    const key = shapeKey(shape)
    const seen = (this.#seen.get(key) ?? 0) + 1
    if (this.#seen.size >= SEEN_MAX) this.#seen.clear()
    this.#seen.set(key, seen)
    if (seen < SEEN_MIN) return 'a new shape'
    if ((seen & (seen - 1)) !== 0) return VALUE
    for (const union of this.#unions) {
      const wide = joined(union.shape, shape)
      if (wide === undefined) continue
      if (sizeOf(wide) > SIZE_MAX) return 'a shape of many parts'
      if (shapeKey(wide) === shapeKey(union.shape)) return union.refused ?? VALUE
      union.shape = wide
      return this.#rewrite(union)
    }
    if (this.#unions.length >= TEMPLATES_MAX) return 'more shapes than are kept'
    const union: Union = { shape, scanner: undefined, refused: undefined }
    this.#unions.push(union)
    return this.#rewrite(union)
  }

  #rewrite(union: Union): string {
    const before = union.scanner
    try {
      const scanner = compileScanner(this.#tree, union.shape, this.targets)
      if (before === undefined) this.#counts.templates++
      if (before === undefined) this.#scanners.push(scanner)
      else this.#scanners[this.#scanners.indexOf(before)] = scanner
      union.scanner = scanner
      union.refused = undefined
    } catch (error) {
      if (!(error instanceof Unscannable)) throw error
      union.refused = error.message
    }
    this.#looks = 0
    this.#learned(shapeKey(union.shape), union.refused, union.scanner?.code ?? '')
    return union.refused ?? 'a new shape'
  }

  #compile(key: string, shape: Shape, seen: number): string {
    const known = this.#known.get(key)
    let refused: string | undefined
    let code = ''
    try {
      const scanner = compileScanner(this.#tree, shape, this.targets)
      if (known?.pins.has(scanner.pins) === true) return VALUE
      known?.pins.add(scanner.pins)
      this.#scanners.push(scanner)
      this.#counts.templates++
      code = scanner.code
      if (known === undefined) this.#know(key, { refused, seen: 0, pins: new Set([scanner.pins]) })
      else known.refused = undefined
    } catch (error) {
      if (!(error instanceof Unscannable)) throw error
      refused = error.message
      if (known === undefined) this.#know(key, { refused, seen, pins: new Set() })
    }
    this.#seen.delete(key)
    if (refused === undefined || known === undefined) {
      this.#looks = 0
      this.#learned(key, refused, code)
    }
    return refused ?? 'a new shape'
  }

  #know(key: string, known: Known): void {
    if (known.refused === undefined || this.#known.size < KNOWN_MAX) this.#known.set(key, known)
  }
}

const VALUE = 'a value that its template does not take'

/** A shape that is widened by what comes. */
interface Union {
  shape: Shape
  scanner: Scanner | undefined
  refused: string | undefined
}

/** A shape that came again. */
interface Known {
  /** Why it cannot be scanned; undefined: it is. */
  refused: string | undefined
  /** Messages of it that no template took. */
  seen: number
  /** By which its scanners differ. */
  readonly pins: Set<string>
}
