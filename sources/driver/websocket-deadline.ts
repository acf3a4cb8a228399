import type { Clock } from '../../graph/port.ts'

/**
 * Call when the time is over, unless the returned function is called before. What came while the program was
 * busy with other things is read first: it was in time.
 */
export const deadline = (clock: Pick<Clock, 'after'>, ms: number, late: () => void): (() => void) => {
  let due = true
  const cancel = clock.after(ms, () => setImmediate(() => due && late()))
  return () => {
    due = false
    cancel()
  }
}
