/** A way from a frame to rows; `end` returns what it has made, so that nothing is optimized away. */
export interface Pipeline {
  readonly name: string
  readonly take: (at: number) => void
  readonly end: () => {
    readonly quotes: number
    readonly bytes: number
    readonly bid: number
    readonly ask: number
  }
}
