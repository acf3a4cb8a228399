import type { Clock } from '../../graph/port.ts'

/**
 * What a call comes to, or a rejection when that takes longer; then `signal` is aborted, if anybody
 * listens.
 */
export const within = async <T>(
  clock: Clock,
  limitMs: number,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const stop = new AbortController()
  let late: (error: Error) => void
  const limit = new Promise<never>((_, reject) => (late = reject))
  const cancel = clock.after(limitMs, () => {
    late(new Error(`no answer within ${Math.ceil(limitMs)} ms`))
    stop.abort()
  })
  const called = call(stop.signal)
  // Whoever loses the race may still reject, and nobody listens then.
  called.catch(() => undefined)
  try {
    return await Promise.race([called, limit])
  } finally {
    cancel()
  }
}
