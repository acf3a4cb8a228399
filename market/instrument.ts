import { key, keyWithin } from '../graph/key.ts'

/** The parts of `binance:perp:BTC-USDT`, `binance:future:BTC-USDT-261225`, `binance:perp:BTC-USD:BTC`. */
export interface InstrumentName {
  readonly venue: string
  readonly kind: string
  readonly pair: string
  readonly asset: string
  readonly quote: string
}

const parsed = new Map<string, InstrumentName>()

/** Take an instrument's name apart. Names come from listings, so there are few, and each is parsed once. */
export const parseInstrument = (instrument: string): InstrumentName => {
  const known = parsed.get(instrument)
  if (known !== undefined) return known
  const [venue = '', kind = '', traded = ''] = instrument.split(':')
  const [asset = '', quote = ''] = traded.split('-')
  const parts = Object.freeze({ venue, kind, pair: `${asset}-${quote}`, asset, quote })
  parsed.set(instrument, parts)
  return parts
}

/**
 * Build an instrument's name from what a listing says. The settling asset is written only where it is not
 * the quote.
 */
export const instrumentName = (of: {
  readonly venue: string
  readonly kind: string
  readonly base: string
  readonly quote: string
  readonly settle?: string
  readonly expiry?: string
}): string => {
  const expiry = of.expiry === undefined ? '' : `-${of.expiry}`
  const settle = of.settle === undefined || of.settle === of.quote ? '' : `:${of.settle}`
  return `${of.venue}:${of.kind}:${of.base}-${of.quote}${expiry}${settle}`
}

type Keyed = { readonly instrument: string } | { readonly pair: string }

const pairOf = (event: Keyed): string =>
  'pair' in event ? event.pair : parseInstrument(event.instrument).pair

/** All of one asset: BTC, whatever it is priced in. */
export const byAsset = key('asset', (event: Keyed) => {
  const pair = pairOf(event)
  return pair.slice(0, pair.indexOf('-'))
})

/** All of one pair: every venue's spot and perpetual of BTC-USDT. */
export const byPair = keyWithin('pair', pairOf, byAsset)

/** One instrument of one venue. */
export const byInstrument = keyWithin(
  'instrument',
  (event: { readonly instrument: string }) => event.instrument,
  byPair,
)
