/** Integer-only (mulberry32), so that a seed means the same everywhere: whole numbers of 32 bits. */
const wordsOf = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

/** Whole numbers from 0 to n - 1, the same for the same seed. */
export const randomOf = (seed: number): ((n: number) => number) => {
  const word = wordsOf(seed)
  return (n) => word() % n
}

/** Numbers from 0 up to 1, the same for the same seed. */
export const diceOf = (seed: number): (() => number) => {
  const word = wordsOf(seed)
  return () => word() / 2 ** 32
}
