import type { KtError } from '../../graph/error.ts'

/** How far a sink has come in one partition of its topic. */
interface Progress {
  readonly lagRecords: number
}

/** A sink as it tells its own state. */
interface Telling {
  readonly sink: string
  readonly state: string
  readonly error?: { readonly message: string } | undefined
  readonly partitions: readonly Progress[]
}

/** Records of the log that a sink has not loaded yet, over all its partitions. */
const lagOf = ({ partitions }: Telling): number => partitions.reduce((sum, one) => sum + one.lagRecords, 0)

/**
 * What a part tells of its sinks: each with its lag and what else there is to say, the lag of all, and how
 * many records they could not read.
 */
export const sinkStatus = <S extends Telling>(
  sinks: readonly S[],
  unreadable: number,
  more: (sink: S) => object,
): object => ({
  unreadable,
  lag: sinks.reduce((sum, one) => sum + lagOf(one), 0),
  sinks: sinks.map((one) => ({
    sink: one.sink,
    state: one.state,
    error: one.error?.message,
    lag: lagOf(one),
    ...more(one),
  })),
})

/** That a sink is in another state now, as a line of the log of its part: what is wrong, and what to do. */
export const sinkLine = ({
  sink,
  state,
  error,
}: {
  readonly sink: string
  readonly state: string
  readonly error: KtError | undefined
}): string => {
  const { code, message, why, fix } = error ?? {}
  return JSON.stringify({ sink, state, code, error: message, why, fix })
}
