import type { Clock } from '../../graph/port.ts'

/**
 * The machine's clock, never going back within a process: where the wall clock is set back, it stands still
 * until it is overtaken. A step forward is followed at once.
 */
export const systemClock = (): Clock => {
  let latest = 0
  return Object.freeze({
    now: () => {
      latest = Math.max(latest, wallMicros())
      return latest
    },
    after: (ms: number, call: () => void) => {
      const timer = setTimeout(call, ms)
      return () => clearTimeout(timer)
    },
  })
}

/**
 * Microseconds of the wall clock. `Date.now` alone knows of steps but counts milliseconds, and
 * `performance.now` alone counts finer but does not know of steps: so the finer one is used while the two
 * agree.
 */
const wallMicros = (): number => {
  const wall = Date.now()
  const micros = Math.floor(origin + performance.now() * 1000)
  if (Math.abs(micros - wall * 1000) <= 2000) return micros
  origin = wall * 1000 - performance.now() * 1000
  return wall * 1000
}

let origin = Date.now() * 1000 - performance.now() * 1000
