import type { Buffers } from '../graph/batch.ts'

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
