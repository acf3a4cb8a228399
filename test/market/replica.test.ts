import { describe, expect, test } from 'vitest'
import type { BookDelta, Quote } from '../../market/event.ts'
import { Replica } from '../../market/replica.ts'
import { MIDNIGHT, delta, snapshot } from '../operators/rows.ts'

const SPOT = 'binance:spot:BTC-USDT'
const LISTS = ['bidPrices', 'bidSizes', 'askPrices', 'askSizes'] as const

/** Feed a row whose lists are views of one piece of memory, as columns have them, and overwrite it after. */
const lend = (replica: Replica, row: BookDelta): void => {
  const memory = new Float64Array(LISTS.reduce((length, list) => length + row[list].length, 0))
  let at = 0
  const views = LISTS.map((list) => {
    memory.set(Array.from(row[list]), at)
    return [list, memory.subarray(at, (at += row[list].length))] as const
  })
  replica.take({
    ...row,
    ...(Object.fromEntries(views) as unknown as Pick<BookDelta, (typeof LISTS)[number]>),
  })
  memory.fill(NaN)
}

const news = (replica: Replica): Quote | undefined => {
  const quote = replica.news({ time: MIDNIGHT, received: MIDNIGHT })
  return quote && { ...quote }
}

describe('a replica whose rows are views', () => {
  test('keeps copies of the changes that wait for a snapshot, and saves them as lists', () => {
    let replica = new Replica(SPOT, Infinity)
    lend(replica, delta(101, 101, { 99: 1, 98: 2 }, { 101: 3 }))
    lend(replica, delta(102, 102, { 99: 0 }, { 100.5: 4 }))
    const saved = JSON.stringify(replica.save())
    expect((JSON.parse(saved) as ReturnType<Replica['save']>).backlog).toMatchObject([
      { first: 101, bidPrices: [98, 99], bidSizes: [2, 1], askPrices: [101], askSizes: [3] },
      { first: 102, bidPrices: [99], bidSizes: [0], askPrices: [100.5], askSizes: [4] },
    ])
    replica = Replica.load(JSON.parse(saved) as ReturnType<Replica['save']>, SPOT, Infinity)
    lend(replica, snapshot(100, { 97: 5 }, { 102: 6 }))
    expect(news(replica)).toMatchObject({
      trust: 'live',
      bid: 98,
      bidSize: 2,
      ask: 100.5,
      askSize: 4,
      last: 102,
    })
  })

  test('is not changed by what is read of it, and not by a row that is written anew', () => {
    const replica = new Replica(SPOT, Infinity)
    lend(replica, snapshot(100, { 97: 5 }, { 102: 6 }))
    const first = news(replica)
    const { shown, heard } = replica.save()
    lend(replica, delta(101, 101, { 97: 7 }, {}))
    expect(news(replica)).toMatchObject({ bid: 97, bidSize: 7, ask: 102, askSize: 6, last: 101 })
    expect(shown).toEqual(first)
    expect(heard).toBeNull()
    const { heard: after } = replica.save()
    lend(replica, delta(102, 102, {}, {}))
    expect(after).toMatchObject({ last: 101 })
    expect(news(replica)).toBeUndefined()
  })

  test.each([
    ['the bid', { 98: 1 }, {}],
    ['the size of the bid', { 97: 6 }, {}],
    ['the ask', {}, { 101: 1 }],
    ['the size of the ask', {}, { 102: 7 }],
    ['that there is a bid', { 97: 0 }, {}],
    ['that there is an ask', {}, { 102: 0 }],
  ])('has news where %s changes, also after a restart', (_, bids, asks) => {
    let replica = new Replica(SPOT, Infinity)
    lend(replica, snapshot(100, { 97: 5 }, { 102: 6 }))
    news(replica)
    const saved = JSON.parse(JSON.stringify(replica.save())) as ReturnType<Replica['save']>
    replica = Replica.load(saved, SPOT, Infinity)
    expect(news(replica)).toBeUndefined()
    lend(replica, delta(101, 101, bids, asks))
    expect(news(replica)).toMatchObject({ trust: 'live', last: 101 })
    expect(news(replica)).toBeUndefined()
    lend(replica, delta(102, 102, {}, {}))
    expect(news(replica)).toBeUndefined()
  })
})
