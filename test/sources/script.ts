import type { AnySource, Opening } from '../../graph/source.ts'
import { opening, scripted } from './world.ts'
import type { Reply, Wire } from './world.ts'

export const HOUR = 3_600_000
export const symbols = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `A${String(i).padStart(3, '0')}USDT`)

export const spotList = (names: readonly string[]): object => ({ symbols: names.map((symbol) => ({
  symbol, status: 'TRADING', baseAsset: symbol.slice(0, -4), quoteAsset: 'USDT',
  filters: [{ filterType: 'PRICE_FILTER', tickSize: '0.01' }, { filterType: 'LOT_SIZE', stepSize: '0.001' }],
})) })
export const usdmList = (names: readonly string[]): object => ({ symbols: names.map((symbol) => ({
  symbol, status: 'TRADING', contractType: 'PERPETUAL', baseAsset: symbol.slice(0, -4), quoteAsset: 'USDT', marginAsset: 'USDT',
  filters: [{ filterType: 'PRICE_FILTER', tickSize: '0.01' }, { filterType: 'LOT_SIZE', stepSize: '0.001' }],
})) })
export const bybitList = (names: readonly string[], nextPageCursor: string): object => ({ retCode: 0, result: { nextPageCursor, list: names.map((symbol) => ({
  symbol, contractType: 'LinearPerpetual', status: 'Trading', baseCoin: symbol.slice(0, -4), quoteCoin: 'USDT', settleCoin: 'USDT',
  priceFilter: { tickSize: '0.1' }, lotSizeFilter: { qtyStep: '0.01', basePrecision: '0.01' },
})) } })

export const spotDelta = (symbol: string, U: number, u: number): object =>
  ({ stream: `${symbol.toLowerCase()}@depth@100ms`, data: { e: 'depthUpdate', E: 1_770_000_000_000, s: symbol, U, u, b: [['1', '2']], a: [] } })
export const spotSeed = (lastUpdateId: number): object => ({ lastUpdateId, bids: [['1', '1']], asks: [['2', '1']] })
export const markOf = (symbol: string, E = 1_770_000_000_000): object =>
  ({ stream: `${symbol.toLowerCase()}@markPrice@1s`, data: { e: 'markPriceUpdate', E, s: symbol, p: '1', i: '1', r: '0.1', T: 1_770_019_200_000 } })
export const bybitBook = (symbol: string, type: string, u: number): object =>
  ({ topic: `orderbook.200.${symbol}`, type, ts: 1, cts: 1, data: { s: symbol, b: [['1', '1']], a: [['2', '1']], u, seq: 1 } })

/** Open a source against a script: its list, and an answer to anything else. */
export const opened = async (
  source: AnySource, list: (path: string) => object, part: Partial<Opening> = {}, other: (path: string) => Reply | undefined = () => ({ status: 404 }),
) => {
  const world = scripted()
  world.net.answer = (path) => (/exchangeInfo|instruments-info/.test(path) ? { body: list(path) } : other(path))
  const running = source.open(world.host, opening(source, part))
  await world.clock.pass(50)
  const asked = (part: string): readonly string[] => world.net.asked.map(({ path }) => path).filter((path) => path.includes(part))
  return { ...world, running, asked, wire: (i = 0): Wire => world.net.wires[i] as Wire }
}

export const ack = (wire: Wire, from = 0): void => {
  for (const { text } of wire.sent.slice(from)) {
    const { id, req_id: request, op } = JSON.parse(text) as { id?: number; req_id?: string; op?: string }
    if (op === 'ping') wire.say({ success: true, ret_msg: 'pong', op: 'ping', req_id: request })
    else wire.say(id === undefined ? { success: true, ret_msg: '', op, req_id: request } : { result: null, id })
  }
}
