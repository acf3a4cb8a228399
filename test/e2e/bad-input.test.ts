import { describe, expect, test } from 'vitest'
import { deltaOf, running, seedOf, SYMBOLS, tradeOf } from './bad-world.ts'

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
