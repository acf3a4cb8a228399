import { resultOf } from '../measure.ts'
import { beside } from '../service.ts'
import type { Result } from './result.ts'

/**
 * G8: how long a message takes, and what garbage it leaves, beside the naive pipeline. Each in a process of
 * its own, over the same endless recording; both write what they make.
 */
export const service = async (quick: boolean): Promise<readonly Result[]> => {
  const messages = quick ? 100_000 : 400_000
  const of = await beside('one', messages, quick ? 2 : 5)
  const about = { goal: 'G8', unit: 'us' }
  const what = `Binance spot BTCUSDT, ${messages.toLocaleString('en')} messages`
  const collected = of('collections')
  const heap = { ...about, unit: 'B/message', least: 0 }
  return [
    resultOf({ ...about, what: `${what}, p50`, least: 0 }, ...of('p50')),
    resultOf({ ...about, what: `${what}, p99`, least: 0 }, ...of('p99')),
    resultOf({ ...about, what: `${what}, p99.9` }, ...of('p999')),
    resultOf({ ...about, what: `${what}, p99.99`, least: 20 }, ...of('p9999')),
    resultOf(
      {
        goal: 'G8',
        what: `${what}, garbage collections; at most 1`,
        unit: 'per 100k messages',
        least: 0,
        holds: collected[0].median <= 1,
      },
      ...collected,
    ),
    resultOf({ ...heap, what: `${what}, allocated on the heap` }, ...of('heapBytes')),
  ]
}
