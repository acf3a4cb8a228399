import type { DeadLetter } from '../../graph/port.ts'

/** A letter that is known by its frame, with bytes of all values and a text that needs care. */
export const letterOf = (frame: number, length = 100): DeadLetter => ({
  source: 'binance.spot',
  channel: 'trade',
  connection: 1,
  epoch: 2,
  frame,
  received: 1_750_000_000_000_000 + frame,
  symbol: frame % 2 === 0 ? 'BTCUSDT' : undefined,
  mapping: 'abc',
  error: 'price is not a number: "né\nvous\u0001 \ud83d\ude00"',
  bytes: Uint8Array.from({ length }, (_, i) => (i * 7 + frame) & 255),
})
