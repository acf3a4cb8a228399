import type { Batch } from '../../graph/batch.ts'
import { snake } from '../../graph/schema.ts'
import { bounds } from '../bounds.ts'

/** Milliseconds that surely do not lie after, or before, a time in microseconds. */
const floorMs = (micros: number): number => Math.floor(micros / 1000)
const ceilMs = (micros: number): number => Math.ceil(micros / 1000)

/** `2026-01-02` of microseconds since 1970 UTC. */
export const dateOf = (micros: number): string => isoMs(floorMs(micros)).slice(0, 10)

/** ISO 8601 of milliseconds. */
export const isoMs = (ms: number): string => new Date(ms).toISOString()

/**
 * What a reader may know of a file without opening it: rows, bounds of times and offsets, how many values are
 * missing. Delta's times have milliseconds, so the lower bound is rounded down and the upper one up: a reader
 * that takes them at their word never leaves out a file that has a row of interest.
 *
 * @see https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics
 */
export const statsOf = (batch: Batch): string => {
  const minValues: Record<string, string | number> = {}
  const maxValues: Record<string, string | number> = {}
  const nullCount: Record<string, number> = {}
  for (const buffers of batch.columns) {
    const { name, kind, nullable } = buffers.column
    const column = snake(name)
    const bounded = kind === 'micros' || name === '_off'
    if (bounded || nullable) nullCount[column] = buffers.missing
    const found = bounded ? bounds(buffers, batch.rows) : undefined
    if (found === undefined) continue
    minValues[column] = kind === 'micros' ? isoMs(floorMs(found[0])) : found[0]
    maxValues[column] = kind === 'micros' ? isoMs(ceilMs(found[1])) : found[1]
  }
  return JSON.stringify({ numRecords: batch.rows, minValues, maxValues, nullCount })
}

interface Stats {
  readonly numRecords: number
  readonly minValues: Readonly<Record<string, string | number>>
  readonly maxValues: Readonly<Record<string, string | number>>
  readonly nullCount: Readonly<Record<string, number>>
}

/**
 * The statistics of files that become one. What one of them does not say of a column, the whole does not say;
 * a column of which it says that all values are missing has no bounds, and takes none away.
 */
export const merged = (texts: readonly string[]): string => {
  const all = texts.map((text) => ({ nullCount: {}, ...(JSON.parse(text) as Partial<Stats>) }) as Stats)
  const numRecords = all.reduce((sum, one) => sum + one.numRecords, 0)
  const bound = (of: 'minValues' | 'maxValues', sign: number): Stats['minValues'] => {
    const columns = new Set(all.flatMap((one) => Object.keys(one[of] ?? {})))
    const found: Record<string, string | number> = {}
    for (const column of columns) {
      const told = all.filter((one) => one.nullCount[column] !== one.numRecords)
      const values = told.map((one) => one[of]?.[column])
      if (values.some((value) => value === undefined)) continue
      found[column] = values.reduce((best, value) => (sign * (value! > best! ? 1 : -1) > 0 ? value : best))!
    }
    return found
  }
  const counted = Object.keys(all[0]?.nullCount ?? {}).filter((column) =>
    all.every((one) => one.nullCount[column] !== undefined),
  )
  const nullCount = Object.fromEntries(
    counted.map((column) => [column, all.reduce((sum, one) => sum + one.nullCount[column]!, 0)]),
  )
  const [minValues, maxValues] = [bound('minValues', -1), bound('maxValues', 1)]
  return JSON.stringify({ numRecords, minValues, maxValues, nullCount })
}
