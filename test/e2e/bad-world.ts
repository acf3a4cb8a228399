import { afterEach, expect } from 'vitest'
import basisGraph from '../../graph/basis.ts'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { plan } from '../../graph/plan.ts'
import { logged } from '../../graph/schema.ts'
import { systemTopics } from '../../market/topics.ts'
import { FileDeadLetters, readDeadLetters } from '../../runtime/driver/dead-letters.ts'
import type { StoredLetter } from '../../runtime/driver/dead-letters.ts'
import { MemoryLog, MemoryStore } from '../../runtime/memory-log.ts'
import { Renewal } from '../../runtime/renewal.ts'
import { Shard } from '../../runtime/shard.ts'
import { clickhouse } from '../../sinks/index.ts'
import { binance } from '../../sources/index.ts'
import { memoryObjects, quietReport } from '../runtime/world.ts'
import { opening, scripted } from '../sources/world.ts'
import type { Reply, Row, Wire } from '../sources/world.ts'
import { temporary } from './command.ts'

const planned = plan(basisGraph, { topics: systemTopics, sink: (_, schema) => clickhouse(schema as never) })
const stage = planned.stages[0]!
export const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
export const LISTED = {
  symbols: SYMBOLS.map((symbol) => ({
    symbol,
    status: 'TRADING',
    baseAsset: symbol.slice(0, -4),
    quoteAsset: 'USDT',
    filters: [
      { filterType: 'PRICE_FILTER', tickSize: '0.01' },
      { filterType: 'LOT_SIZE', stepSize: '0.001' },
    ],
  })),
}
const TIME_MS = 1_770_000_000_000
export const seedOf = (id: number): object => ({ lastUpdateId: id, bids: [['1', '1']], asks: [['3', '1']] })

type Changes = Readonly<Record<string, unknown>>
export const tradeOf = (symbol: string, t: number, changes: Changes = {}): object => ({
  stream: `${symbol.toLowerCase()}@trade`,
  data: { e: 'trade', E: TIME_MS, s: symbol, t, p: '1.5', q: '2', T: TIME_MS, m: true, ...changes },
})
export const deltaOf = (symbol: string, id: number, changes: Changes = {}): object => ({
  stream: `${symbol.toLowerCase()}@depth@100ms`,
  data: { e: 'depthUpdate', E: TIME_MS, s: symbol, U: id, u: id, b: [['1', String(id)]], a: [], ...changes },
})

const folders: { [Symbol.dispose]: () => void }[] = []
afterEach(() => folders.splice(0).forEach((one) => one[Symbol.dispose]()))

/**
 * Binance spot as a script, read by the real source into the real shard of graph/basis.ts, with its dead
 * letters on the disk.
 */
export const running = async (rest: (path: string) => Reply | undefined = () => ({ body: seedOf(100) })) => {
  const folder = temporary()
  folders.push(folder)
  const world = scripted()
  const { clock, net, host, notes } = world
  const store = new MemoryStore()
  const letters = new FileDeadLetters(folder.path)
  let failure: unknown
  net.answer = (path) => (path.includes('exchangeInfo') ? { body: LISTED } : rest(path))
  const renewal = new Renewal(clock, (instrument, why) => source.renew(instrument, why))
  const shard = new Shard({
    plan: stage,
    shard: `${stage.name}/0`,
    clock,
    log: new MemoryLog(clock, { store, commitMs: 2 }),
    objects: memoryObjects(),
    deadLetters: letters,
    report: {
      ...quietReport((error) => (failure ??= error)),
      row: (schema, row) => renewal.see(schema, row),
    },
    rowsMax: 1000,
    lingerMs: 0,
    tickMs: 250,
    checkpointEveryMs: 10_000,
    pendingMaxBytes: 1 << 30,
    rebuild: false,
  })
  await shard.recover()
  shard.start()
  const source = binance.spot.open(
    { ...host, frame: (frame) => shard.frame(frame), system: (schema, row) => shard.system(schema, row) },
    opening(binance.spot, { universe: { quote: 'USDT' } }),
  )
  await clock.pass(500)
  const rows = (schema: string): readonly Row[] => {
    expect(failure).toBeUndefined()
    const of = planned.topics.find((topic) => topic.schema.name === schema)!
    return store.steps
      .flat()
      .filter((record) => record.topic === of.name)
      .flatMap((record) => [...rowsOf(readBatch(logged(of.schema), record.bytes))] as Row[])
  }
  const wire = (): Wire => net.wires.at(-1)!
  const stored = async (): Promise<readonly StoredLetter[]> => {
    await letters.flush()
    const all: StoredLetter[] = []
    for await (const one of readDeadLetters(folder.path)) all.push(one)
    return all
  }
  /** The newest trust of each book. */
  const trust = (): Readonly<Record<string, unknown>> =>
    Object.fromEntries(rows('quote').map((row) => [String(row['instrument']).slice(13), row['trust']]))
  /** Say the same of every symbol, and let the log take it. */
  const all = async (message: (symbol: string) => object): Promise<void> => {
    for (const symbol of SYMBOLS) wire().say(message(symbol))
    await clock.pass(10)
  }
  const raw = async (bytes: Uint8Array | string): Promise<void> => {
    if (typeof bytes === 'string') wire().say(bytes)
    else wire().events.message(bytes, clock.now())
    await clock.pass(10)
  }
  const live = async (): Promise<void> => {
    await all((symbol) => deltaOf(symbol, 101))
    await clock.pass(2000)
    expect(trust()).toEqual({ 'BTC-USDT': 'live', 'ETH-USDT': 'live', 'SOL-USDT': 'live' })
  }
  return { clock, net, notes, rows, stored, trust, all, raw, live }
}
