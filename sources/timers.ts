import type { Clock } from '../graph/port.ts'

/** A clock whose timers end with whoever uses it. */
export interface OwnClock extends Clock {
  /** Cancel what is planned. What is planned later is never called: who is closed waits for nothing. */
  readonly close: () => void
}

/** The clock of one who will be closed, so that none of its waits has to be remembered where it begins. */
export const ownClock = (clock: Clock): OwnClock => {
  const planned = new Set<() => void>()
  let closed = false
  return {
    now: () => clock.now(),
    after: (ms, call) => {
      if (closed) return nothing
      const cancel = clock.after(ms, () => {
        planned.delete(cancel)
        call()
      })
      planned.add(cancel)
      return () => {
        planned.delete(cancel)
        cancel()
      }
    },
    close: () => {
      closed = true
      for (const cancel of planned) cancel()
      planned.clear()
    },
  }
}

const nothing = (): void => {}
