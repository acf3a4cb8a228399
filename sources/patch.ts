import type { Cells } from '../graph/row.ts'
import type { AnySchema } from '../graph/schema.ts'
import type { Raw } from './mapping/border.ts'
import { FILLED } from './mapping/check.ts'

/** What one topic said last of one schema: as a mapping made it, or as numbers by column. */
interface Said {
  raw: Raw | undefined
  numbers: Float64Array | undefined
}

/**
 * What one topic said last, where its messages say only what changed. Each row is whole: what a message
 * leaves out is as it was. A change of which the beginning was not heard makes no row.
 */
export class LastSaid {
  readonly #said = new Map<string, Said>()

  /**
   * A row with what it leaves out. `nothing`: the message changes nothing of this schema. `early`: it leaves
   * out what was never said.
   */
  raw(schema: AnySchema, raw: Raw): Raw | 'nothing' | 'early' {
    if (!Object.keys(raw).some((field) => field !== 'symbol' && field !== 'time')) return 'nothing'
    const before = this.#rawOf(schema)
    const whole = before === undefined ? raw : { ...before, ...raw }
    const lacks = schema.columns.some(
      (column) => needed(column) && column.kind !== 'floats' && whole[column.name] === undefined,
    )
    return lacks ? 'early' : whole
  }

  /** The whole row was right: it is what was said last. */
  keep(schema: string, raw: Raw): void {
    this.#said.set(schema, { raw, numbers: undefined })
  }

  /**
   * The same of a row in cells whose columns are all numbers: NaN where it leaves them out, and whole
   * afterwards.
   */
  cells({ schema, numbers }: Cells, plan: PatchPlan): 'row' | 'nothing' | 'early' {
    const { news, need } = plan
    let some = false
    for (let i = 0; i < news.length; i++) if (!Number.isNaN(numbers[news[i]!])) some = true
    if (!some) return 'nothing'
    const before = this.#numbersOf(schema)
    if (before !== undefined)
      for (let i = 0; i < numbers.length; i++) if (Number.isNaN(numbers[i])) numbers[i] = before[i]!
    for (let i = 0; i < need.length; i++) if (Number.isNaN(numbers[need[i]!])) return 'early'
    if (before === undefined) this.#said.set(schema.name, { raw: undefined, numbers: numbers.slice() })
    else before.set(numbers)
    return 'row'
  }

  #rawOf(schema: AnySchema): Raw | undefined {
    const said = this.#said.get(schema.name)
    if (said?.numbers === undefined) return said?.raw
    const { numbers } = said
    const known = schema.columns.flatMap(({ name }, at) =>
      Number.isNaN(numbers[at]) || FILLED.has(name) ? [] : [[name, numbers[at]] as const],
    )
    return Object.fromEntries(known)
  }

  /** Of a row that was parsed last, the numbers take the place from now on. */
  #numbersOf({ name, columns }: AnySchema): Float64Array | undefined {
    const said = this.#said.get(name)
    if (said === undefined || said.numbers !== undefined) return said?.numbers
    said.numbers = Float64Array.from(columns, (column) => {
      const value = said.raw?.[column.name]
      return typeof value === 'number' ? value : NaN
    })
    return said.numbers
  }
}

/** Places of columns: what is news, and what a row may not lack. */
export interface PatchPlan {
  readonly news: readonly number[]
  readonly need: readonly number[]
}

export const patchPlan = ({ columns }: AnySchema): PatchPlan => ({
  news: columns.flatMap(({ name }, at) => (FILLED.has(name) || name === 'time' ? [] : [at])),
  need: columns.flatMap((column, at) => (needed(column) ? [at] : [])),
})

const needed = ({ nullable, name }: AnySchema['columns'][number]): boolean => !nullable && !FILLED.has(name)
