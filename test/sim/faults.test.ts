import { describe, expect, test } from 'vitest'
import { type FaultKind, parseFaults } from '../../sources/sim/fault.ts'
import type { FaultTruth } from '../../sources/sim/truth.ts'
import { type Bench, bench, type Frame, parse, subscribeAll } from './client.ts'

function faulty(faults: string, forMs = 20_000, rate = 200): Bench {
  const b = bench({ seed: 3, rate, faults: parseFaults(faults) })
  subscribeAll(b)
  b.run(forMs)
  return b
}

const logged = (b: Bench, fault: FaultKind): FaultTruth[] =>
  b.truth.filter((t): t is FaultTruth => t.kind === 'fault' && t.fault === fault)

const atSpot = (b: Bench, fault: FaultKind, channel: string): FaultTruth[] =>
  logged(b, fault).filter((t) => t.connection === 'spot' && t.channel === channel)

const spotFrames = (b: Bench): Frame[] => b.texts('spot').map(parse).filter((f) => f.stream)

const tradeIds = (b: Bench): number[] =>
  spotFrames(b).filter((f) => f.stream === 'btcusdt@trade').map((f) => f.data.t)

const readable = (text: string): boolean => {
  try {
    parse(text)
    return true
  } catch {
    return false
  }
}

describe('frames', () => {
  test.each(['drop=0.1', 'gap=0.03'])('with %s a chain breaks exactly where the log says', (setting) => {
    const b = faulty(setting)
    const fault = setting.split('=')[0] as FaultKind
    const lost = atSpot(b, fault, 'btcusdt@depth@100ms')
    expect(lost.length).toBeGreaterThan(2)
    const holes: [number, number][] = []
    let [start, last] = [0, 0]
    for (const { stream, data } of spotFrames(b)) {
      if (stream !== 'btcusdt@depth@100ms') continue
      if (last !== 0 && data.U !== last + 1) holes.push([last + 1, data.U - 1])
      if (start === 0) start = data.U
      last = data.u
    }
    const merged: [number, number][] = []
    for (const { first, last: end } of lost) {
      const open = merged.at(-1)
      if (open !== undefined && open[1] + 1 === Number(first)) open[1] = Number(end)
      else merged.push([Number(first), Number(end)])
    }
    // A loss before the first or after the last frame leaves no hole that a client could see.
    expect(holes).toEqual(merged.filter(([first, end]) => first > start && end < last))
    expect(holes.length).toBeGreaterThan(1)
  })

  test('with drop the ids of lost trades are those missing from the stream', () => {
    const b = faulty('drop=0.06')
    const lost = new Set(atSpot(b, 'drop', 'btcusdt@trade').map((t) => Number(t.first)))
    const got = tradeIds(b)
    const all = b.truth.filter((t) => t.kind === 'trade')
      .filter((t) => t.venue === 'binance.spot' && t.symbol === 'BTCUSDT').map((t) => Number(t.id))
    expect(lost.size).toBeGreaterThan(3)
    expect([...got, ...lost].sort((x, y) => x - y)).toEqual(all)
  })

  test('a duplicate comes twice, a reordered frame after the next one, and both are logged', () => {
    const b = faulty('duplicate=0.02,reorder=0.02')
    const ids = tradeIds(b)
    const twice = ids.filter((id, i) => ids.indexOf(id) < i)
    const of = (kind: FaultKind): string[] => atSpot(b, kind, 'btcusdt@trade').map((t) => t.first)
    expect(twice.map(String).sort()).toEqual(of('duplicate').sort())
    const late = ids.filter((id, i) => ids.slice(0, i).some((before) => before > id))
    expect(of('reorder').length).toBeGreaterThan(1)
    for (const id of late) expect([...of('reorder'), ...of('duplicate')]).toContain(String(id))
    expect(late.length).toBeGreaterThan(0)
  })

  test('a reordered frame changes places with the next one of its channel', () => {
    const b = faulty('reorder=0.03')
    const ids = tradeIds(b)
    const late = ids.filter((id, i) => ids[i - 1] === id + 1)
    // A quiet channel has no next frame within a second: then the frame comes late, but in its place.
    expect(late.length).toBeGreaterThan(2)
    const logged = atSpot(b, 'reorder', 'btcusdt@trade').map((t) => Number(t.first))
    expect(late.length).toBeGreaterThan(logged.length / 2)
    for (const id of late) expect(logged).toContain(id)
  })

  test('a wrong id is no id that is true, and a malformed frame is cut off or of a wrong type', () => {
    const wrong = faulty('wrongId=0.05')
    const trades = tradeIds(wrong)
    const jumps = trades.filter((id, i) => i > 0 && id !== trades[i - 1]! + 1)
    expect(jumps.length).toBeGreaterThan(1)
    expect(logged(wrong, 'wrongId').length).toBeGreaterThan(5)
    const b = faulty('malformed=0.05')
    const unreadable = b.texts('spot').filter((text) => !readable(text))
    const spot = logged(b, 'malformed').filter((t) => t.venue === 'binance.spot')
    expect(unreadable.length).toBe(spot.filter((t) => t.note === 'cut off').length)
    expect(unreadable.length).toBeGreaterThan(2)
    const mistyped = b.texts('spot').filter((text) => !unreadable.includes(text)).map(parse)
      .filter(({ data }) => typeof data?.p === 'object' || typeof data?.b === 'string')
    expect(mistyped.length).toBe(spot.filter((t) => t.note === 'wrong type').length)
    expect(mistyped.length).toBeGreaterThan(2)
  })

  test('two connections to one symbol lose different frames', () => {
    const b = bench({ seed: 3, faults: parseFaults('drop=0.05') })
    for (const id of ['a', 'b']) b.exchange.connect(id, 'binance.spot', '/ws/btcusdt@trade')
    b.run(30_000)
    const lost = (id: string): string[] =>
      logged(b, 'drop').filter((t) => t.connection === id).map((t) => t.first)
    expect(lost('a').length).toBeGreaterThan(3)
    expect(lost('a')).not.toEqual(lost('b'))
  })
})

describe('connections', () => {
  test('silence stops one symbol of one connection for a while, and what it cost is logged', () => {
    const b = faulty('silence=0.2', 40_000, 60)
    const begun = logged(b, 'silence').find((t) => t.channel === '' && t.connection === 'spot')!
    const until = Number(begun.note.split(' ')[1])
    const during = spotFrames(b)
      .filter(({ data }) => data.s === begun.symbol && data.E > begun.time && data.E < until)
    expect(during).toEqual([])
    const cost = logged(b, 'silence')
      .filter((t) => t.symbol === begun.symbol && t.connection === 'spot' && t.channel !== '')
    expect(cost.length).toBeGreaterThan(5)
  })

  test('mute leaves the socket open and says nothing', () => {
    const b = faulty('mute=0.1', 40_000, 60)
    const begun = logged(b, 'mute').find((t) => t.channel === '' && t.connection === 'spot')!
    const until = Number(begun.note.split(' ')[1])
    expect(spotFrames(b).filter((f) => f.data.E > begun.time && f.data.E < until)).toEqual([])
    expect(b.exchange.stats().connections).toBe(5)
  })

  test('slow frames come late, in order, and none is lost', () => {
    const b = faulty('slow=0.1', 30_000)
    expect(logged(b, 'slow').length).toBeGreaterThan(3)
    b.run(5000)
    const ids = tradeIds(b)
    for (let i = 1; i < ids.length; i++) expect(ids[i]).toBe(ids[i - 1]! + 1)
    expect(ids.length).toBeGreaterThan(50)
  })

  test('close and reset end a connection', () => {
    const b = faulty('close=0.05,reset=0.05', 60_000, 60)
    const ends = b.deliveries.filter((d) => d.does === 'close' || d.does === 'reset')
    expect(new Set(ends.map((d) => d.does))).toEqual(new Set(['close', 'reset']))
    expect(logged(b, 'close').length + logged(b, 'reset').length).toBe(ends.length)
    expect(b.exchange.stats().connections).toBe(5 - ends.length)
  })
})

describe('listings', () => {
  test('a listing appears in the instruments and a delisting stops the symbol', () => {
    const b = faulty('list=0.1,delist=0.05', 60_000, 60)
    const listings = b.truth.filter((t) => t.kind === 'listing')
    const listed = listings.filter((t) => t.status === 'listed' && t.venue === 'binance.spot')
    const gone = listings.filter((t) => t.status === 'delisted')
    expect(listed.length).toBeGreaterThan(0)
    expect(gone.length).toBeGreaterThan(0)
    const spot = parse(b.exchange.rest('binance.spot', '/api/v3/exchangeInfo').body)
    const status = new Map(spot.symbols.map((s) => [s.symbol, s.status]))
    for (const { symbol } of listed) expect(status.has(symbol)).toBe(true)
    for (const { venue, symbol, time } of gone) {
      if (venue === 'binance.spot') expect(status.get(symbol)).toBe('BREAK')
      const trades = b.truth.filter((t) => t.kind === 'trade' && t.venue === venue && t.symbol === symbol)
      expect(trades.filter((t) => t.time > time)).toEqual([])
    }
  })
})

describe('REST', () => {
  const path = '/api/v3/depth?symbol=BTCUSDT&limit=100'

  const statuses = [['rest418', 418], ['rest429', 429], ['rest451', 451], ['rest500', 500]] as const
  test.each(statuses)('%s answers %d', (fault, status) => {
    const b = bench({ faults: parseFaults(`${fault}=1`) })
    const answer = b.exchange.rest('binance.spot', path)
    expect(answer.status).toBe(status)
    if (status === 418 || status === 429) expect(Number(answer.headers['Retry-After'])).toBeGreaterThan(0)
    expect(logged(b, fault)).toHaveLength(1)
  })

  test('a time-out never answers, and a stale book is older than the stream', () => {
    const { exchange } = bench({ faults: parseFaults('restTimeout=1') })
    expect(exchange.rest('binance.spot', path).delayMs).toBe(Infinity)
    const b = bench({ faults: parseFaults('restStale=1') })
    b.exchange.connect('c', 'binance.spot', '/ws/btcusdt@depth@100ms')
    b.run(5900)
    const first = parse(b.texts('c').at(-1)!)
    expect(parse(b.exchange.rest('binance.spot', path).body).lastUpdateId).toBeLessThan(first.U)
  })

  test('weight is counted by the clock minute; who goes on after 429 is banned', () => {
    const b = bench({ pairs: 1, rate: 5 })
    const codes: number[] = []
    const dear = path.replace('limit=100', 'limit=1000')
    for (let i = 0; i < 140; i++) codes.push(b.exchange.rest('binance.spot', dear).status)
    expect(codes.filter((code) => code === 200)).toHaveLength(120)
    expect(codes.filter((code) => code === 429)).toHaveLength(10)
    expect(codes.at(-1)).toBe(418)
    b.run(240_000)
    const answer = b.exchange.rest('binance.spot', path)
    expect(answer.status).toBe(200)
    expect(answer.headers['X-MBX-USED-WEIGHT-1M']).toBe('5')
  })
})

describe('settings', () => {
  test('presets and single settings are read, later words win', () => {
    expect(parseFaults('cruel,drop=0').drop).toBe(0)
    expect(parseFaults('cruel').reset).toBeGreaterThan(0)
    expect(Object.values(parseFaults('none')).every((p) => p === 0)).toBe(true)
  })

  test('an unknown fault is named, with those that exist', () => {
    expect(() => parseFaults('dorp=0.1')).toThrow(/no fault is called "dorp".*drop, duplicate/)
    expect(() => parseFaults('drop=2')).toThrow(/probability from 0 to 1/)
  })

  test('a hundred cruel seeds run without an error, and are repeatable', () => {
    for (let seed = 0; seed < 100; seed++) {
      const runs = (seed % 10 === 0 ? [0, 1] : [0]).map(() => {
        const b = bench({ seed, pairs: 2, rate: 100, depth: 30, faults: parseFaults('cruel') })
        subscribeAll(b)
        b.run(2000)
        return JSON.stringify(b.deliveries)
      })
      expect(new Set(runs).size).toBe(1)
    }
  })
})
