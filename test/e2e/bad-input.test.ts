import { afterEach, describe, expect, test } from 'vitest'
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
const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
const LISTED = {
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
const seedOf = (id: number): object => ({ lastUpdateId: id, bids: [['1', '1']], asks: [['3', '1']] })

type Changes = Readonly<Record<string, unknown>>
const tradeOf = (symbol: string, t: number, changes: Changes = {}): object => ({
  stream: `${symbol.toLowerCase()}@trade`,
  data: { e: 'trade', E: TIME_MS, s: symbol, t, p: '1.5', q: '2', T: TIME_MS, m: true, ...changes },
})
const deltaOf = (symbol: string, id: number, changes: Changes = {}): object => ({
  stream: `${symbol.toLowerCase()}@depth@100ms`,
  data: { e: 'depthUpdate', E: TIME_MS, s: symbol, U: id, u: id, b: [['1', String(id)]], a: [], ...changes },
})

const folders: { [Symbol.dispose]: () => void }[] = []
afterEach(() => folders.splice(0).forEach((one) => one[Symbol.dispose]()))

/**
 * Binance spot as a script, read by the real source into the real shard of graph/basis.ts, with its dead
 * letters on the disk.
 */
const running = async (rest: (path: string) => Reply | undefined = () => ({ body: seedOf(100) })) => {
  const folder = temporary()
  folders.push(folder)
  const world = scripted()
  const { clock, net, host, notes } = world
  const store = new MemoryStore()
  const letters = new FileDeadLetters(folder.path)
  let failure: unknown
  net.answer = (path) => (path.includes('exchangeInfo') ? { body: LISTED } : rest(path))
  const renewal = new Renewal(clock, (instrument) => source.renew(instrument))
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

const invalid = (): Uint8Array => {
  const bytes = new TextEncoder().encode(JSON.stringify(tradeOf('BTCUSDT', 2, { x: '??' })))
  bytes.set([0xff, 0xfe], bytes.length - 6)
  return bytes
}

describe('a bad message is one dead letter, and nothing else is lost', () => {
  const cases: readonly (readonly [string, Uint8Array | string | object, string, string | undefined])[] = [
    ['cut off', JSON.stringify(tradeOf('BTCUSDT', 2)).slice(0, -20), 'KT2101', 'BTCUSDT'],
    ['no JSON at all', '<html>502 Bad Gateway</html>', 'KT2110', undefined],
    ['not UTF-8', invalid(), 'KT2101', 'BTCUSDT'],
    ['10 MB', JSON.stringify(tradeOf('BTCUSDT', 2, { x: 'x'.repeat(10 << 20) })), 'KT2101', 'BTCUSDT'],
    [
      '15 MB, nearly as long as a socket takes',
      JSON.stringify(tradeOf('BTCUSDT', 2, { x: 'x'.repeat(15 << 20) })),
      'KT2101',
      'BTCUSDT',
    ],
    ['of a wrong type', tradeOf('BTCUSDT', 2, { p: { value: 1 } }), 'KT2102', 'BTCUSDT'],
    ['with a price "NaN"', tradeOf('BTCUSDT', 2, { p: 'NaN' }), 'KT2102', 'BTCUSDT'],
    ['with an infinite size', tradeOf('BTCUSDT', 2, { q: '1e999' }), 'KT2102', 'BTCUSDT'],
    [
      'with an id beyond 2^53',
      JSON.stringify(tradeOf('BTCUSDT', 2)).replace('"t":2', '"t":90071992547409931'),
      'KT2105',
      'BTCUSDT',
    ],
    ['without a field', tradeOf('BTCUSDT', 2, { T: undefined }), 'KT2103', 'BTCUSDT'],
    [
      'of a symbol that is not listed, on a topic of another',
      tradeOf('BTCUSDT', 2, { s: 'XYZUSDT' }),
      'KT2109',
      'BTCUSDT',
    ],
    [
      'of a channel that nobody knows',
      { stream: 'btcusdt@lottery', data: { s: 'BTCUSDT' } },
      'KT2110',
      undefined,
    ],
  ]
  for (const [name, message, code, symbol] of cases) {
    test(`${name}: ${code}`, async () => {
      const { all, raw, rows, stored, live, trust } = await running()
      await live()
      await all((symbol) => tradeOf(symbol, 1))
      const sent =
        message instanceof Uint8Array || typeof message === 'string' ? message : JSON.stringify(message)
      await raw(sent)
      await all((symbol) => tradeOf(symbol, 3))
      const letters = await stored()
      expect(letters).toHaveLength(1)
      const { letter } = letters[0]!
      expect(letter).toMatchObject({
        source: 'binance.spot',
        channel: 'trade',
        connection: 1,
        epoch: 1,
        symbol,
        error: expect.stringMatching(new RegExp(`^${code} .`)),
      })
      // Three changes of books and three trades came before it on this connection.
      expect(letter.frame).toBe(7)
      expect(letter.mapping).toMatch(/^[0-9a-f]{13,14}$/)
      expect(Buffer.from(letter.bytes).equals(Buffer.from(sent))).toBe(true)
      expect(
        rows('trade').map((row) => `${String(row['instrument']).slice(13, 16)} ${String(row['id'])}`),
      ).toEqual(['BTC 1', 'ETH 1', 'SOL 1', 'BTC 3', 'ETH 3', 'SOL 3'])
      // What the letter held is a hole of its own instrument, as are the ids that the others never had.
      expect(
        rows('gap').filter(
          (row) => row['instrument'] === 'binance:spot:BTC-USDT' && row['channel'] === 'trade',
        ),
      ).toMatchObject([{ first: 2, last: 2, event: 'opened' }])
      expect(trust()).toEqual({ 'BTC-USDT': 'live', 'ETH-USDT': 'live', 'SOL-USDT': 'live' })
    })
  }

  test('a price of 17 digits is no bad message: the nearest double is taken', async () => {
    const { all, raw, rows, stored } = await running()
    await raw(JSON.stringify(tradeOf('BTCUSDT', 1, { p: '12345678.123456789' })))
    await all((symbol) => tradeOf(symbol, 2))
    expect(rows('trade')[0]).toMatchObject({ id: '1', price: 12_345_678.123456789 })
    expect(await stored()).toEqual([])
  })

  test('a thousand of them in a row are a thousand letters, and the neighbours never notice', async () => {
    const { all, raw, rows, stored } = await running()
    for (let i = 0; i < 1000; i++) await raw(JSON.stringify(tradeOf('BTCUSDT', i, { p: 'x' })))
    await all((symbol) => tradeOf(symbol, 1000))
    expect(await stored()).toHaveLength(1000)
    expect(rows('trade').map((row) => row['instrument'])).toEqual(
      SYMBOLS.map((symbol) => `binance:spot:${symbol.slice(0, 3)}-USDT`),
    )
  })
})

describe('a bad message of a book', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['cut off', JSON.stringify(deltaOf('ETHUSDT', 102)).slice(0, -20)],
    ['a level without a size', JSON.stringify(deltaOf('ETHUSDT', 102, { b: [['1']] }))],
    ['a size that is "NaN"', JSON.stringify(deltaOf('ETHUSDT', 102, { b: [['1', 'NaN']] }))],
  ]
  for (const [name, message] of cases) {
    test(`(${name}) takes the trust from this book until it is begun anew, and from no other`, async () => {
      let id = 100
      let answers = true
      const { all, raw, live, trust, clock, stored, rows, net } = await running(() =>
        answers ? { body: seedOf(id) } : { status: 500 },
      )
      await live()
      answers = false
      await raw(message)
      expect(await stored()).toMatchObject([{ letter: { channel: 'book', symbol: 'ETHUSDT' } }])
      expect(trust()).toMatchObject({ 'BTC-USDT': 'live', 'SOL-USDT': 'live' })
      expect(trust()['ETH-USDT']).not.toBe('live')
      await all((symbol) => deltaOf(symbol, symbol === 'ETHUSDT' ? 103 : 102))
      await clock.pass(3000)
      expect(trust()).toMatchObject({ 'BTC-USDT': 'live', 'SOL-USDT': 'live' })
      expect(trust()['ETH-USDT']).not.toBe('live')
      const between = rows('quote')
        .filter((row) => row['instrument'] === 'binance:spot:ETH-USDT')
        .at(-1)
      expect([between?.['bid'], between?.['ask']]).toEqual([null, null])
      answers = true
      id = 110
      const asked = net.asked.length
      await all((symbol) => deltaOf(symbol, symbol === 'ETHUSDT' ? 104 : 103))
      await clock.pass(500)
      await all((symbol) => deltaOf(symbol, symbol === 'ETHUSDT' ? 105 : 104))
      for (let i = 0; i < 40 && trust()['ETH-USDT'] !== 'live'; i++) await clock.pass(500)
      expect(trust()['ETH-USDT']).toBe('live')
      expect(net.asked.slice(asked).every(({ path }) => path.includes('ETHUSDT'))).toBe(true)
    })
  }
})

describe('a venue that refuses by REST is asked no more than it bears, and each refusal says what to do', () => {
  const minutes = 10
  const cases: readonly (readonly [string, Reply | undefined, number, RegExp])[] = [
    ['418', { status: 418, headers: { 'retry-after': '240' } }, 3, /banned/],
    ['429', { status: 429 }, 11, /Too much was asked/],
    ['451', { status: 451 }, 1, /does not serve this place/],
    ['500', { status: 500 }, 25, /^$/],
    ['no answer', undefined, 20, /network, DNS and proxy/],
  ]
  for (const [name, reply, most, fix] of cases) {
    test(`${name}: the list of instruments, at most ${most} times in ${minutes} minutes`, async () => {
      let refusing = true
      const world = scripted()
      const { clock, net, notes, host, system } = world
      net.answer = () => (refusing ? reply : { body: LISTED })
      const source = binance.spot.open(host, opening(binance.spot))
      await clock.pass(minutes * 60_000 - 1)
      expect(net.asked.length).toBeGreaterThan(0)
      expect(net.asked.length).toBeLessThanOrEqual(most)
      const refused = notes.filter(({ what }) => what === 'request was refused')
      expect(refused.length).toBeGreaterThan(0)
      expect(refused.at(-1)!.level).toBe(name === '500' && refused.length === 1 ? 'info' : 'warn')
      expect(String(refused.at(-1)!.facts['fix'] ?? '')).toMatch(fix)
      refusing = false
      await clock.pass(11 * 60_000)
      expect(system.filter(({ schema }) => schema === 'instrument')).toHaveLength(3)
      source.close()
    })

    test(`${name}: a snapshot; trades and the other books go on`, async () => {
      let refused = false
      const { all, clock, rows, trust, notes, net } = await running((path) =>
        path.includes('ETHUSDT') ? ((refused = true), reply) : { body: seedOf(100) },
      )
      await all((symbol) => deltaOf(symbol, 101))
      await clock.pass(30_000)
      expect(refused).toBe(true)
      await all((symbol) => tradeOf(symbol, 1))
      expect(rows('trade')).toHaveLength(3)
      expect(trust()['ETH-USDT']).not.toBe('live')
      expect(net.asked.filter(({ path }) => path.includes('ETHUSDT')).length).toBeLessThanOrEqual(8)
      expect(notes.some(({ what }) => what === 'request was refused')).toBe(true)
    })
  }
})
