/** A change of a book, or the whole of it, before a peer's own form of it is made. */
export interface BookChange {
  readonly snapshot: boolean
  readonly bidPrices: ArrayLike<number>
  readonly bidSizes: ArrayLike<number>
  readonly askPrices: ArrayLike<number>
  readonly askSizes: ArrayLike<number>
}

/** A level as `[price, size]`. */
export type PeerLevel = readonly [price: number, size: number]

/**
 * A peer's order book. `prepare` makes the form in which its own code receives a change, outside of the
 * clock; `apply` and what reads the book are timed.
 */
export interface PeerBook<Change> {
  readonly name: string
  readonly prepare: (change: BookChange) => Change
  readonly apply: (change: Change) => void
  /** Prices of the best levels, NaN on an empty side. */
  readonly bid: () => number
  readonly ask: () => number
  /** The best levels of a side, best first. */
  readonly top: (side: 'bid' | 'ask', levels: number) => readonly PeerLevel[]
}

/** The levels of one side of a change. */
export const pairs = <L>(
  prices: ArrayLike<number>,
  sizes: ArrayLike<number>,
  level: (price: number, size: number) => L,
): readonly L[] => Array.from(prices, (price, at) => level(price, sizes[at]!))
