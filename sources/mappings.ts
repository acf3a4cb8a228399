import type { AnySchema } from '../graph/schema.ts'
import type { Mapping } from '../graph/source.ts'
import { check } from './mapping/check.ts'
import { compile } from './mapping/compile.ts'
import type { Compiled } from './mapping/compile.ts'
import type { Tally } from './mapping/function.ts'
import { partsOf } from './mapping/tree.ts'
import type { Tree } from './mapping/tree.ts'

/** One part of a mapping: as it was written, and as a function of a parsed message. */
export interface MappingPart {
  readonly tree: Tree
  readonly run: Compiled
  /** The function, as it was generated. */
  readonly code: string
}

/** The parts of a market's mappings, compiled when they are first asked for. */
export class Mappings {
  /** Of the texts of all files, for dead letters. */
  readonly hash: string
  readonly #files: readonly Mapping[]

  constructor(files: readonly Mapping[]) {
    this.#files = files
    this.hash = hashOf(files.map((file) => file.text).join('\n'))
  }

  /** Check a part against the schemas of its rows, and compile it. Throws GraphError when it does not fit. */
  part(part: string, schemas: readonly AnySchema[], tally: Tally): MappingPart | undefined {
    for (const { file, tree } of this.#files) {
      const found = partsOf(file, tree).get(part)
      if (found === undefined) continue
      check(file, part, found, schemas)
      return { tree: found, ...compile(file, part, found, tally) }
    }
    return undefined
  }
}

/** 53 bits are enough to tell two versions of a file apart. */
const hashOf = (text: string): string => {
  let [high, low] = [0xdeadbeef, 0x41c6ce57]
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    high = Math.imul(high ^ unit, 2_654_435_761)
    low = Math.imul(low ^ unit, 1_597_334_677)
  }
  return ((high >>> 0) * 2 ** 20 + ((low >>> 0) & 0xfffff)).toString(16).padStart(13, '0')
}
