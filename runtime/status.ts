import type { VenueError } from '../graph/error.ts'
import type { Partition } from '../graph/port.ts'
import type { Frame } from '../graph/source.ts'

/**
 * What a shard tells about itself: one function for each thing that happens. Implementations count, log and
 * show.
 */
export interface ShardReport {
  /** Its rows are in their batches, by `now`. */
  readonly frame: (frame: Frame<never>, now: number) => void
  readonly row: (schema: string, row: object) => void
  readonly durable: (step: { readonly rows: number; readonly bytes: number; readonly us: number }) => void
  readonly deadLetter: (frame: Frame<never>, error: VenueError) => void
  readonly dropped: (frame: Frame<never>) => void
  readonly backlog: (bytes: number, bytesMax: number) => void
  /** `us`: how long it took. `from`: where a restart with it begins to read the log. */
  readonly checkpoint: (written: {
    readonly step: number
    readonly bytes: number
    readonly us: number
    readonly from: readonly (Partition & { readonly next: number })[]
  }) => void
  readonly checkpointFailed: (error: unknown) => void
  readonly brokenCheckpoint: (path: string) => void
  readonly recovered: (from: {
    readonly shard: string
    readonly step: number
    readonly rows: number
    readonly checkpoint: number | undefined
  }) => void
  /**
   * A shard begins to read topics. `from`: where a restart would read on; `cut`: topics whose first rows were
   * gone when it first began.
   */
  readonly follows: (about: {
    readonly shard: string
    readonly from: readonly (Partition & { readonly next: number })[]
    readonly cut: readonly (Partition & { readonly next: number })[]
  }) => void
  readonly died: (error: unknown) => void
}
