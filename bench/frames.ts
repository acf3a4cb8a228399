import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { markets } from '../sources/index.ts'
import { cryptofeedRows } from '../sources/driver/foreign.ts'
import { recordings } from '../test/recordings.ts'

export type SourceName = 'binance.spot' | 'binance.usdm' | 'bybit.spot' | 'bybit.linear'

/** One message as the socket gave it, or the REST beginning of a book, or a list of instruments. */
export interface MarketFrame {
  readonly bytes: Buffer
  readonly received: number
  readonly channel: 'trade' | 'book' | 'seed' | 'listing'
  readonly symbol: string
  /** What it was read into with others: its bytes are a view of it; left out: they are by themselves. */
  readonly memory?: Uint8Array
}

/** Real frames of one market, as the socket gave them. */
export interface FrameSet {
  readonly name: string
  readonly source: SourceName
  readonly symbol: string
  readonly frames: readonly MarketFrame[]
}

/** Set B of one market of Binance: its trades, its book changes and the REST beginning of its book. */
export const binanceFrames = (market: 'spot' | 'usdm'): FrameSet => {
  const files = existsSync(recordings)
    ? globSync(join(recordings, `binance/demo-20240808-btc/${market}_btcusdt_2024080*.gz`))
    : []
  return {
    name: `Binance ${market} BTCUSDT`,
    source: `binance.${market}`,
    symbol: 'BTCUSDT',
    frames: files
      .toSorted()
      .flatMap((file) => lines(gunzipSync(readFileSync(file))))
      .flatMap(frameOf),
  }
}

/** Set C: books and trades of Bybit, each market and symbol by itself. */
export const bybitFrames = (): readonly FrameSet[] => {
  const file = join(recordings, 'bybit/v5_spot_linear_btc_sol_20260809.jsonl.zst')
  if (!existsSync(file)) return []
  const rows = cryptofeedRows(
    lines(zstdDecompressSync(readFileSync(file))),
    markets.map(({ market }) => market),
  )
  const messages = rows.flatMap((row): readonly (MarketFrame & { readonly source: string })[] => {
    if (row.what !== 'message' || row.symbol === undefined) return []
    const { channel, source, symbol, received, bytes } = row
    if (channel !== 'trade' && channel !== 'book') return []
    return [{ channel, source, symbol, received, bytes: Buffer.from(bytes) }]
  })
  const sets = Map.groupBy(messages, (one) => `${one.source} ${one.symbol}`)
  return [...sets].map(([key, frames]) => {
    const [source, symbol] = key.split(' ') as [SourceName, string]
    return { name: `Bybit ${source.slice(6)} ${symbol}, trades and book`, source, symbol, frames }
  })
}

const lines = (text: Buffer): readonly Buffer[] => {
  const found: Buffer[] = []
  for (let from = 0; from < text.length;) {
    const end = text.indexOf(10, from)
    const to = end < 0 ? text.length : end
    if (to > from) found.push(text.subarray(from, to))
    from = to + 1
  }
  return found
}

const frameOf = (line: Buffer): readonly MarketFrame[] => {
  const space = line.indexOf(32)
  const received = Math.floor(Number(line.toString('latin1', 0, space)) / 1000)
  const bytes = line.subarray(space + 1)
  const head = bytes.toString('latin1', 0, 60)
  const channel = head.includes('@trade')
    ? 'trade'
    : head.includes('@depth')
      ? 'book'
      : head.includes('lastUpdateId')
        ? 'seed'
        : undefined
  return channel === undefined ? [] : [{ bytes, received, channel, symbol: 'BTCUSDT' }]
}
