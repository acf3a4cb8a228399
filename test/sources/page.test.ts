import { describe, expect, test } from 'vitest'
import { policyOf } from '../../graph/policy.ts'
import type { Card } from '../../graph/source.ts'
import { binance, bybit, markets } from '../../sources/index.ts'
import { sourcesPage } from '../../sources/page.ts'
import { silenceOf } from '../../sources/staleness.ts'

describe('the cards of all sources', () => {
  test('are what docs/sources.md says', async () => {
    const page = sourcesPage(markets.map(({ market }) => market))
    await expect(page).toMatchFileSnapshot('../../docs/sources.md')
  })

  test('say how long a silence is staleness', () => {
    const { channels } = binance.usdm
    expect(silenceOf(channels.book.card)).toEqual({ of: 'symbol', leastMs: 15_000, mostMs: 300_000 })
    expect(silenceOf(channels.mark.card)).toMatchObject({ of: 'symbol', leastMs: 5_000 })
    expect(silenceOf(channels.trade.card)).toMatchObject({ of: 'channel', leastMs: 60_000 })
    expect(silenceOf(channels.fundingInfo.card)).toMatchObject({ of: 'channel', leastMs: 1_800_000 })
  })

  test('say what becomes of a message that the log cannot take', () => {
    const policy = (card: Card): string => policyOf(card)
    expect(policy(binance.spot.channels.trade.card)).toBe('ticket')
    expect(policy(binance.spot.channels.book.card)).toBe('deadLetter')
    expect(policy(bybit.linear.channels.book.card)).toBe('ticket')
    expect(policy(binance.usdm.channels.mark.card)).toBe('deadLetter')
    expect(policy(binance.usdm.channels.fundingInfo.card)).toBe('drop')
  })

  test('have the limits of one venue in one place, below what the venue bears', () => {
    for (const { market } of markets) {
      const { socket, rest, listing } = market
      expect(rest.budget.share, market.name).toBeLessThan(1)
      expect(socket.connectsPerMinute * 5, market.name).toBeLessThan(market.venue === 'binance' ? 300 : 500)
      expect(socket.messagesPerSecond, market.name).toBeLessThan(market.name === 'binance.spot' ? 5 : 11)
      expect(listing.weight + listing.ranking.weight, market.name).toBeLessThan(rest.budget.weight)
    }
  })
})
