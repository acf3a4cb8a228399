/**
 * One measured line of the table. A goal is a file `bench/goal/<what>.ts` that exports `(quick: boolean) =>
 * Promise<readonly Result[]>` and is named in `bench/goals.ts` with the factor it must reach.
 *
 * Both numbers are costs or both are rates, of the same run on the same input, medians over interleaved
 * rounds: `unit` says which way is better. A goal whose rows differ from the rows of its peer throws
 * instead.
 */
export interface Result {
  /** `G1` to `G13`, or `edge`. */
  readonly goal: string
  /** The input and what is done to it: `Binance spot depth, bytes to columns`. */
  readonly what: string
  /** Our median, in `unit`. */
  readonly ours: number
  /** What it is measured against: `tardis-dev mappers`. */
  readonly peer: string
  /** The peer's median, in `unit`; NaN where there is no peer or it could not run (`note` says why). */
  readonly theirs: number
  /**
   * Of both numbers. A unit that ends in `/s` is a rate (more is better), any other is a cost (less is
   * better).
   */
  readonly unit: string
  /** How many times better we are: the median over the rounds. Without it, by the two medians. */
  readonly factor?: number
  /** Least and most of the rounds. */
  readonly oursSpread?: readonly [least: number, most: number]
  readonly theirsSpread?: readonly [least: number, most: number]
  /** The factor to reach, where it is not the one that `bench/goals.ts` gives; 0: told, not judged. */
  readonly least?: number
  /** What is to be held apart from the ratio (bytes a row, GCs per 100k messages): false fails the line. */
  readonly holds?: boolean
  /** One sentence for the reader of the table. */
  readonly note?: string
}
