import type { Cells } from '../graph/row.ts'
import type { EmitRow } from '../graph/source.ts'
import { FILLED } from './mapping/check.ts'
import { columnsMax, FIRST_COLUMN, SYMBOL_FROM, SYMBOL_TO, TARGET } from './mapping/scan-row.ts'
import { spells } from './mapping/spelling.ts'
import type { Templates } from './mapping/templates.ts'
import type { Named } from './names.ts'
import { patchPlan } from './patch.ts'
import type { PatchPlan } from './patch.ts'
import type { MessageAbout, ReaderOf, Skipped } from './reader.ts'

/** Where in the cells of a schema stands what the reader fills in. */
interface Target {
  readonly cells: Cells
  readonly schema: string
  /** Ids without a row. */
  readonly skip: boolean
  readonly columns: number
  readonly texts: readonly number[]
  /** Names that no message gives. */
  readonly nameless: readonly number[]
  readonly venue: number
  readonly instrument: number
  readonly received: number
  readonly first: number
  readonly last: number
  readonly patch: PatchPlan
}

/**
 * Emit the rows of a message that a template fits. False when none does, or when a row is of a symbol that it
 * should not be of: then nothing was emitted, and the message must be parsed.
 */
export const createScanned = (
  of: ReaderOf,
  templates: Templates,
): ((bytes: Uint8Array, about: MessageAbout, emit: EmitRow, from: number, to: number) => boolean) => {
  const targets = templates.targets.map(targetOf)
  const ends = columnsMax(templates.targets)
  const { width } = templates
  const named: (Named | undefined)[] = []
  const name = (found: number, about: MessageAbout): boolean => {
    const { rows, memory } = templates
    const { symbol } = about
    const own = symbol === undefined ? undefined : (about.named ??= of.named(symbol))
    for (let row = 0; row < found; row++) {
      const from = rows[row * width + SYMBOL_FROM]! | 0
      const to = rows[row * width + SYMBOL_TO]! | 0
      if (symbol === undefined) {
        if (from < 0) return false
        named[row] = of.namedAt(memory.bytes, from, to)
      } else if (own === undefined || (from >= 0 && !spells(memory.view, from, to, about.spelling)))
        return false
      else named[row] = own
    }
    return true
  }
  return (bytes, about, emit, from, to) => {
    const found = templates.scan(bytes, about.received, from, to, about.limit)
    if (found < 0 || !name(found, about)) return false
    of.tiers.scanned++
    for (let row = 0; row < found; row++) {
      const one = named[row]
      if (one === undefined || !one.wanted) {
        of.counts.unwanted += 1
        continue
      }
      const at = row * width
      const target = targets[templates.rows[at + TARGET]!]!
      if (!templates.direct) fill(target, templates.rows, at + FIRST_COLUMN, ends, templates.memory.bytes)
      const { cells } = target
      if (about.last !== undefined) {
        const found = about.last.cells(cells, target.patch)
        if (found === 'early') of.counts.early += 1
        if (found !== 'row') continue
      }
      if (covers(target, about.skipped)) continue
      const { names } = cells
      if (names[target.venue] !== of.venue) names[target.venue] = of.venue
      if (names[target.instrument] !== one.instrument) names[target.instrument] = one.instrument
      cells.numbers[target.received] = about.received
      emit(target.schema, cells.row)
    }
    return true
  }
}

const targetOf = (cells: Cells): Target => {
  const { columns, name } = cells.schema
  const place = (of: string): number => columns.findIndex((column) => column.name === of)
  return {
    cells,
    schema: name,
    skip: name === 'skip',
    columns: columns.length,
    texts: columns.flatMap(({ kind }, at) => (kind === 'text' ? [at] : [])),
    nameless: columns.flatMap(({ kind, name: of }, at) => (kind === 'name' && !FILLED.has(of) ? [at] : [])),
    venue: place('venue'),
    instrument: place('instrument'),
    received: place('received'),
    first: place('first'),
    last: place('last'),
    patch: patchPlan(cells.schema),
  }
}

const fill = (target: Target, rows: Float64Array, base: number, ends: number, bytes: Uint8Array): void => {
  const { numbers, texts, names } = target.cells
  for (let i = 0; i < target.columns; i++) numbers[i] = rows[base + i]!
  for (let i = 0; i < target.nameless.length; i++) names[target.nameless[i]!] = null
  for (let i = 0; i < target.texts.length; i++) {
    const place = target.texts[i]!
    // As small integers, places need no memory.
    const from = rows[base + place]! | 0
    if (from < 0) texts[place]!.set(null)
    else texts[place]!.copy(bytes, from, rows[base + ends + place]! | 0)
  }
}

/**
 * Ids without a row are remembered, and a row that follows them covers them, so that they are no hole. True
 * when there is nothing to emit.
 */
const covers = ({ cells, skip, first, last }: Target, skipped: Skipped | undefined): boolean => {
  const { numbers } = cells
  if (skipped === undefined) return skip
  if (skip) {
    if (numbers[first] !== skipped.last + 1) skipped.first = numbers[first]!
    skipped.last = numbers[last]!
  } else if (skipped.last >= 0 && numbers[first] === skipped.last + 1) {
    numbers[first] = skipped.first
    skipped.last = -1
  }
  return skip
}
