/** A text as it stands in messages, to be compared four bytes at a time. */
export interface Spelling {
  /** In bytes. */
  readonly length: number
  readonly words: Int32Array
  /** What is behind the last whole word, and which bits of a word that is. */
  readonly rest: number
  readonly mask: number
}

export const spelling = (text: string): Spelling => {
  const bytes = new TextEncoder().encode(text)
  const { length } = bytes
  const padded = new Uint8Array(length + 8)
  padded.set(bytes)
  const view = new DataView(padded.buffer)
  const words = Int32Array.from({ length: length >> 2 }, (_, at) => view.getInt32(4 * at, true))
  const rest = view.getInt32(4 * words.length, true)
  return { length, words, rest, mask: 2 ** (8 * (length & 3)) - 1 }
}

/** Do the bytes from `from` to `to` spell it? Up to four bytes behind them are read. */
export const spells = (view: DataView, from: number, to: number, of: Spelling): boolean => {
  const { words } = of
  if (to - from !== of.length) return false
  for (let at = 0; at < words.length; at++) if (view.getInt32(from + 4 * at, true) !== words[at]) return false
  return (view.getInt32(from + 4 * words.length, true) & of.mask) === of.rest
}
