import type { AnySource, SourceHost } from '../graph/source.ts'
import { systemClock } from '../runtime/driver/clock.ts'
import { loadMapping } from '../sources/driver/jsonata.ts'
import { openRecording } from '../sources/driver/recording.ts'
import { markets } from '../sources/index.ts'
import { KeyFinder } from '../sources/scan.ts'
import { Exchange } from '../sources/sim/exchange.ts'
import { venueNames } from '../sources/sim/universe.ts'
import type { MarketRules } from '../sources/venue.ts'

/** A message of a channel, to look at. */
export interface Example {
  readonly source: string
  readonly channel: string
  /** Undefined: it is for all symbols. */
  readonly symbol: string | undefined
  readonly received: number
  readonly bytes: Uint8Array
}

const START_MS = 1_785_000_000_000

/** What the simulated exchange says within so many seconds, of two symbols and all channels of its venues. */
export const simulatedFrames = (seconds = 5): readonly Example[] => {
  const exchange = new Exchange({ seed: 1, pairs: 2, rate: 400, depth: 200, startMs: START_MS })
  const served = markets.filter(({ name }) => venueNames.some((venue) => venue === name))
  for (const { market } of served) subscribe(exchange, market)
  const taken = [...exchange.take(), ...exchange.advance(START_MS + seconds * 1000)]
  const pushed = taken.flatMap((one): readonly Example[] => {
    if (one.does !== 'send') return []
    const market = served.find(({ name }) => one.connection.startsWith(`${name} `))?.market
    return market === undefined ? [] : exampleOf(market, new TextEncoder().encode(one.text))
  })
  return [...pushed, ...served.flatMap(({ market }) => polled(exchange, market))]
}

const subscribe = (exchange: Exchange, { name, socket, channels }: MarketRules): void => {
  const venue = venueNames.find((one) => one === name)!
  for (const [route, path] of Object.entries(socket.routes)) {
    const kinds = Object.values(channels).flatMap(({ from }) =>
      'topic' in from && from.route === route ? [from.topic] : [],
    )
    const topics = exchange
      .symbols(venue)
      .flatMap((symbol) => kinds.map((kind) => socket.words.topic(kind, symbol)))
    exchange.connect(`${name} ${route}`, venue, path)
    for (let at = 0; at < topics.length; at += socket.topicsPerRequest) {
      const request = socket.words.subscribe(topics.slice(at, at + socket.topicsPerRequest), at + 1)
      exchange.receive(`${name} ${route}`, JSON.stringify(request))
    }
  }
}

const exampleOf = ({ name, socket, channels }: MarketRules, bytes: Uint8Array): readonly Example[] => {
  const finder = new KeyFinder(socket.words.key)
  if (!finder.find(bytes)) return []
  const topic = new TextDecoder().decode(bytes.subarray(finder.from, finder.to))
  const { kind, symbol } = socket.words.parts(topic)
  const channel = Object.entries(channels).find(([, { from }]) => 'topic' in from && from.topic === kind)?.[0]
  return channel === undefined ? [] : [{ source: name, channel, symbol, received: START_MS * 1000, bytes }]
}

const polled = (exchange: Exchange, { name, channels }: MarketRules): readonly Example[] =>
  Object.entries(channels).flatMap(([channel, { from }]): readonly Example[] => {
    if (!('path' in from)) return []
    const { status, body } = exchange.rest(
      venueNames.find((one) => one === name)!,
      from.path,
    )
    const bytes = new TextEncoder().encode(body)
    return status === 200
      ? [{ source: name, channel, symbol: undefined, received: START_MS * 1000, bytes }]
      : []
  })

/** Messages of recordings, so many of each channel. */
export const recordedFrames = async (
  paths: readonly string[],
  sources: readonly AnySource[],
  most: number,
): Promise<readonly Example[]> => {
  // How a book begins is of another shape than what changes it.
  const recording = await openRecording({ paths, sources, drop: ({ what }) => what === 'seed' })
  const found: Example[] = []
  const counts = new Map<string, number>()
  const host: SourceHost = {
    clock: systemClock(),
    random: { below: () => 0 },
    net: { connect: () => ({ send: () => {}, close: () => {} }), get: () => new Promise(() => {}) },
    mapping: loadMapping,
    frame: ({ source, channel, symbol, received, bytes }) => {
      const key = `${source} ${channel}`
      const count = (counts.get(key) ?? 0) + 1
      counts.set(key, count)
      if (count <= most) found.push({ source, channel, symbol, received, bytes: bytes.slice() })
    },
    system: () => {},
    note: () => {},
  }
  const opened = sources.map((source) =>
    recording.open(source, host, {
      channels: Object.keys(source.channels),
      universe: {},
      endpoint: undefined,
      owns: () => true,
    }),
  )
  for (let moments = await recording.next(); moments !== undefined; moments = await recording.next())
    for (const { deliver } of moments) deliver()
  for (const one of opened) one.close()
  return found
}
