import { describe, expect, test } from 'vitest'
import { causeOf, concerns } from '../../market/session.ts'
import { control } from '../operators/rows.ts'

const spot = { instrument: 'binance:spot:BTC-USDT', source: 'binance.spot' }

describe('a control row', () => {
  test('without a source is about everything', () => {
    expect(concerns(control('start'), spot, ['book'])).toBe(true)
  })

  test('with an instrument is about that instrument', () => {
    const down = control('down', {
      source: 'binance.spot',
      channel: 'book',
      instrument: 'binance:spot:ETH-USDT',
    })
    expect(concerns(down, spot, ['book'])).toBe(false)
    expect(concerns({ ...down, instrument: spot.instrument }, spot, ['book'])).toBe(true)
  })

  test('with a source and no instrument is about all of that source, and of no other', () => {
    expect(concerns(control('down', { source: 'binance.spot' }), spot, ['book'])).toBe(true)
    expect(concerns(control('down', { source: 'binance.usdm' }), spot, ['book'])).toBe(false)
  })

  test('is taken for any source of the venue while the listing has not told which one it is', () => {
    const unknown = { ...spot, source: '' }
    expect(concerns(control('down', { source: 'binance.usdm' }), unknown, ['book'])).toBe(true)
    expect(concerns(control('down', { source: 'bybit.spot' }), unknown, ['book'])).toBe(false)
  })

  test('of another channel is about others', () => {
    expect(concerns(control('down', { source: 'binance.spot', channel: 'trade' }), spot, ['book'])).toBe(
      false,
    )
  })
})

describe('the cause of a hole', () => {
  test('is the gravest of what happened before it', () => {
    expect(causeOf('lost', 'tick')).toBe('lost')
    expect(causeOf('lost', 'up')).toBe('lost')
    expect(causeOf('lost', 'drop')).toBe('dropped')
    expect(causeOf('dropped', 'down')).toBe('disconnect')
    expect(causeOf('disconnect', 'drop')).toBe('disconnect')
    expect(causeOf('disconnect', 'start')).toBe('restart')
    expect(causeOf('restart', 'down')).toBe('restart')
  })
})
