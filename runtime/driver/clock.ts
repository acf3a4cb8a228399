import type { Clock } from '../../graph/port.ts'

/**
 * The machine's clock, never going back within a process. A step forward is followed at once: the machine
 * may have slept. Where the wall clock is set back, time goes on at half its pace until the wall has caught
 * up, so that silence is still noticed and nothing that is due waits for hours.
 */
export const systemClock = (): Clock => {
  let latest = 0
  /** Since when the wall clock is behind, by a clock that nobody sets, and what was said then. */
  let behind: { readonly since: number; readonly from: number } | undefined
  return Object.freeze({
    now: () => {
      const wall = wallMicros()
      if (wall >= latest) {
        behind = undefined
        latest = wall
        return latest
      }
      const steady = performance.now() * 1000
      behind ??= { since: steady, from: latest }
      latest = Math.max(latest, behind.from + Math.floor((steady - behind.since) / 2))
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
