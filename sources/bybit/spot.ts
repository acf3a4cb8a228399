import { venue } from '../venue.ts'
import { book, listing, rest, session, tickers, trades } from './session.ts'

/** Bybit v5 spot. https://bybit-exchange.github.io/docs/v5/ws/connect */
export const spot = venue({
  name: 'bybit.spot',
  venue: 'bybit',
  mappings: ['bybit/session.jsonata', 'bybit/spot.jsonata'],
  channels: { trade: trades, book, ticker: tickers },
  socket: { ...session, routes: { main: '/v5/public/spot' } },
  rest,
  listing: listing('spot'),
})
