import type { Batch, Buffers } from '../../graph/batch.ts'
import { snake } from '../../graph/schema.ts'

/** Milliseconds that surely do not lie after, or before, a time in microseconds. */
const floorMs = (micros: number): number => Math.floor(micros / 1000)
const ceilMs = (micros: number): number => Math.ceil(micros / 1000)

/** `2026-01-02` of microseconds since 1970 UTC. */
export const dateOf = (micros: number): string => isoMs(floorMs(micros)).slice(0, 10)

/** ISO 8601 of milliseconds. */
export const isoMs = (ms: number): string => new Date(ms).toISOString()

/** The lowest and highest value of a column of whole numbers; undefined when no row has one. */
export const bounds = (buffers: Buffers, rows: number): readonly [number, number] | undefined => {
  const halves = new Int32Array(buffers.values.buffer, buffers.values.byteOffset, 2 * rows)
  let low = Infinity
  let high = -Infinity
  for (let row = 0; row < rows; row++) {
    if (buffers.missing > 0 && (buffers.present[row >> 3]! & (1 << (row & 7))) === 0) continue
    const value = halves[2 * row + 1]! * 2 ** 32 + (halves[2 * row]! >>> 0)
    if (value < low) low = value
    if (value > high) high = value
  }
  return low > high ? undefined : [low, high]
}

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
