import { describe, expect, test } from 'vitest'
import type { BookTruth, Truth } from '../../sources/sim/truth.ts'
import type { VenueName } from '../../sources/sim/universe.ts'
import { type Bench, bench, type Frame, parse, ReferenceBook, startMs, subscribeAll } from './client.ts'

describe('time', () => {
  test('equal seeds give equal bytes, however time is cut', () => {
    const runs = [[3000], [10, 990, 7, 1993], [1500, 1500]].map((steps) => {
      const b = bench({ seed: 42 })
      subscribeAll(b)
      for (const ms of steps) b.run(ms)
      b.run(startMs + 3000 - b.exchange.nowMs)
      return JSON.stringify([b.deliveries, b.lines])
    })
    expect(runs[0]!.length).toBeGreaterThan(100_000)
    expect(runs[1]).toBe(runs[0])
    expect(runs[2]).toBe(runs[0])
  })

  test('another seed gives another world', () => {
    const [a, c] = [bench({ seed: 1 }), bench({ seed: 2 })]
    a.run(500)
    c.run(500)
    expect(a.lines.join()).not.toBe(c.lines.join())
  })

  test('what others subscribe to does not change what is true', () => {
    const [alone, watched] = [bench(), bench()]
    subscribeAll(watched)
    alone.run(2000)
    watched.run(2000)
    const trades = (b: Bench): Truth[] => b.truth.filter((t) => t.kind === 'trade')
    expect(trades(watched)).toEqual(trades(alone))
  })

  test('the whole default world comes at the promised rate', () => {
    const b = bench({ pairs: 60, rate: 5000, depth: 200 })
    subscribeAll(b)
    b.run(500)
    const before = b.exchange.stats().published
    b.run(2000)
    const rate = (b.exchange.stats().published - before) / 2
    expect(rate).toBeGreaterThan(4750)
    expect(rate).toBeLessThan(5250)
  })
})

describe('chains without faults', () => {
  const b = bench({ seed: 9 })
  subscribeAll(b)
  b.run(10_000)
  const frames = (connection: string): Frame[] => b.texts(connection).map(parse)

  test('every spot update continues the one before, and trade ids are dense', () => {
    const [last, trade] = [new Map<string, number>(), new Map<string, number>()]
    let checked = 0
    for (const { data } of frames('spot')) {
      if (data?.e === 'depthUpdate') {
        if (last.has(data.s)) expect(data.U).toBe(last.get(data.s)! + 1)
        expect(data.u).toBeGreaterThanOrEqual(data.U)
        last.set(data.s, data.u)
      } else if (data?.e === 'trade') {
        if (trade.has(data.s)) expect(data.t).toBe(trade.get(data.s)! + 1)
        trade.set(data.s, data.t)
      }
      checked += 1
    }
    expect(last.size).toBe(4)
    expect(checked).toBeGreaterThan(500)
  })

  test('every futures update names the one before, in a sequence with holes', () => {
    const last = new Map<string, number>()
    let holes = 0
    for (const { data } of frames('usdm')) {
      if (data?.e !== 'depthUpdate') continue
      if (last.has(data.s)) {
        expect(data.pu).toBe(last.get(data.s))
        if (data.U !== data.pu + 1) holes += 1
      }
      last.set(data.s, data.u)
    }
    expect(last.size).toBe(4)
    expect(holes).toBeGreaterThan(10)
  })

  test('every Bybit update counts by one from its snapshot', () => {
    for (const connection of ['bybit.linear', 'bybit.spot']) {
      const last = new Map<string, number>()
      for (const frame of frames(connection)) {
        if (!String(frame.topic).startsWith('orderbook')) continue
        if (frame.type === 'delta') expect(frame.data.u).toBe(last.get(frame.topic)! + 1)
        last.set(frame.topic, frame.data.u)
      }
      expect(last.size).toBe(4)
    }
  })

  test('the trades sent are the trades that are true, field by field', () => {
    const sent = new Set<string>()
    for (const { data } of [...frames('spot')]) {
      if (data?.e !== 'trade') continue
      const { s, t, p, q, m, T } = data
      sent.add(`${s} ${t} ${p} ${q} ${m ? 'sell' : 'buy'} ${T}`)
    }
    const truths = b.truth.filter((t) => t.kind === 'trade' && t.venue === 'binance.spot')
    expect(truths.length).toBeGreaterThan(100)
    expect([...sent]).toEqual(expect.arrayContaining(truths.map((t) =>
      t.kind === 'trade' ? `${t.symbol} ${t.id} ${t.price} ${t.size} ${t.side} ${t.time}` : '')))
    expect(sent.size).toBe(truths.length)
  })
})

describe('books', () => {
  const booksOf = (b: Bench, venue: VenueName): BookTruth[] => b.truth
    .filter((t) => t.kind === 'book').filter((t) => t.venue === venue && t.symbol === 'BTCUSDT')

  const binance = ['binance.spot', 'binance.usdm'] as const
  test.each(binance)('%s: snapshot and updates give the true best prices', (venue) => {
    const b = bench({ seed: 5 })
    const futures = venue === 'binance.usdm'
    b.exchange.connect('c', venue, futures ? '/public/ws/btcusdt@depth@100ms' : '/ws/btcusdt@depth@100ms')
    b.run(550)
    const path = `${futures ? '/fapi/v1' : '/api/v3'}/depth?symbol=BTCUSDT&limit=1000`
    const snapshot = parse(b.exchange.rest(venue, path).body)
    b.run(20_000)
    const book = new ReferenceBook()
    book.replace(snapshot.bids, snapshot.asks)
    const truth = new Map(booksOf(b, venue).map((t) => [t.id, t]))
    let checked = 0
    for (const frame of b.texts('c').map(parse)) {
      if (frame.u <= snapshot.lastUpdateId) continue
      if (checked === 0) expect(futures ? frame.pu : frame.U - 1).toBeLessThanOrEqual(snapshot.lastUpdateId)
      book.apply(frame.b, frame.a)
      expect(truth.get(frame.u)).toMatchObject(book.best())
      checked += 1
    }
    expect(checked).toBeGreaterThan(100)
  })

  test.each(['linear', 'spot'])('bybit %s: snapshot and deltas give the true best prices', (category) => {
    const b = bench({ seed: 6 })
    const venue = category === 'linear' ? 'bybit.linear' : 'bybit.spot'
    b.exchange.connect('c', venue, `/v5/public/${category}`)
    b.exchange.connect('late', venue, `/v5/public/${category}`)
    b.run(100)
    for (const depth of [1, 50, 200]) b.send('c', { op: 'subscribe', args: [`orderbook.${depth}.BTCUSDT`] })
    b.run(5000)
    b.send('late', { op: 'subscribe', args: ['orderbook.50.BTCUSDT'] })
    b.run(10_000)
    const key = (channel: string, id: number): string => `${channel} ${id}`
    const truth = new Map<string, BookTruth>()
    for (const t of booksOf(b, venue)) truth.set(key(t.channel, t.id), t)
    for (const connection of ['c', 'late']) {
      const books = new Map<string, ReferenceBook>()
      let checked = 0
      for (const text of b.texts(connection)) {
        const frame = parse(text)
        if (frame.topic === undefined) continue
        const book = books.get(frame.topic) ?? new ReferenceBook()
        books.set(frame.topic, book)
        const { b: bids, a: asks, u } = frame.data
        if (frame.type === 'snapshot') book.replace(bids, asks)
        else book.apply(bids, asks)
        expect(truth.get(key(frame.topic, u))).toMatchObject(book.best())
        expect(book.bids.size).toBeLessThanOrEqual(Number(frame.topic.split('.')[1]))
        checked += 1
      }
      expect(books.size).toBe(connection === 'c' ? 3 : 1)
      expect(checked).toBeGreaterThan(100)
    }
  })

  test('no true book is ever crossed', () => {
    const b = bench({ seed: 11, pairs: 20, rate: 2000 })
    b.run(4000)
    const books = b.truth.filter((t) => t.kind === 'book')
    expect(books.length).toBeGreaterThan(1000)
    for (const t of books) if (t.kind === 'book') expect(Number(t.bid)).toBeLessThan(Number(t.ask))
  })
})

describe('funding', () => {
  test('a period that ends is settled, and the next time moves on', () => {
    const b = bench({ fundingEveryMs: 20_000, rate: 30 })
    subscribeAll(b)
    b.run(65_000)
    const settled = b.truth.filter((t) => t.kind === 'funding')
      .filter((t) => t.venue === 'binance.usdm' && t.symbol === 'BTCUSDT')
    expect(settled.map((t) => t.time % 20_000)).toEqual([0, 0, 0])
    const marks = b.texts('mark').map(parse).filter((f) => f.data?.s === 'BTCUSDT')
    for (const { data } of marks) expect(data.T).toBeGreaterThanOrEqual(data.E)
    expect(new Set(marks.map(({ data }) => data.T)).size).toBeGreaterThanOrEqual(4)
    const { body } = b.exchange.rest('binance.usdm', '/fapi/v1/fundingRate?symbol=BTCUSDT&limit=3')
    const history = JSON.parse(body) as Frame[]
    expect(history.map((row) => row.fundingTime)).toEqual(settled.map((t) => t.time))
    expect(history[0]?.fundingRate).toMatch(/^-?0\.\d{8}$/)
  })
})
