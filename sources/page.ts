import { policyOf } from '../graph/policy.ts'
import type { Policy } from '../graph/policy.ts'
import type { Card } from '../graph/source.ts'
import { silenceOf } from './staleness.ts'
import type { AnyChannel, MarketRules } from './venue.ts'

/** The page of all markets, in Markdown, from their tables and cards alone: docs/sources.md. */
export const sourcesPage = (markets: readonly MarketRules[]): string =>
  `${[HEAD, ...markets.map(section)].join('\n\n')}\n`

const HEAD = `# Sources

What kt reads, and how. This page is made from the tables in \`sources/\`, and a test holds it to them
(\`npm test -- sources/page -u\` writes it anew); what is said here is what the code goes by.

- *Model*: a message stands alone (stateless), replaces the one before (snapshot), changes a book (delta), or
  changes fields (patch).
- *Ids*: what they prove. With dense or linked ids each hole is known (\`proven\` in the gap ledger); with the
  others an interruption is only \`possible\`.
- *Stale after*: so long without a message of the symbol, or of the whole channel. A symbol whose own pace is
  slower is given up to 20 times as long, by 50 of its usual silences.
- *Again*: can what was missed be had from the venue later: no, for a while, as files of the next day, or for
  ever.
- *Overload*: what follows from it for a message that the log cannot take in time (\`graph/policy.ts\`).`

const section = (market: MarketRules): string => {
  const channels = Object.entries(market.channels)
  return [
    `## ${market.name}`,
    ...limitsOf(market),
    '',
    '| Channel | Rows | From | Model | Ids | Stale after | Again | Overload |',
    '|---|---|---|---|---|---|---|---|',
    ...channels.map(([name, channel]) => `| ${line(name, channel, market).join(' | ')} |`),
    '',
    ...channels.flatMap(([name, channel]) => details(name, channel)),
  ].join('\n')
}

const limitsOf = ({ socket, rest, listing, mappings }: MarketRules): readonly string[] => {
  const { ranking } = listing
  const { weight, everyMs, share } = rest.budget
  const letters = socket.lettersPerConnection
  const routes = Object.entries(socket.routes).map(([name, path]) => `\`${path}\` (${name})`)
  return [
    '',
    `- Socket \`${socket.base}\`, ${routes.join(', ')}. At most ${socket.topicsPerConnection} topics` +
      `${letters === 0 ? '' : ` and ${grouped(letters)} letters of topics`} on a connection, ` +
      `${socket.topicsPerRequest} in a request, ${socket.messagesPerSecond} requests a second, ` +
      `${socket.connectsPerMinute} new connections a minute.`,
    `- ${heartbeat(socket)} ${cut(socket.cutAfterMs)}`,
    `- REST \`${rest.base}\`: ${grouped(weight)} of weight in ${span(everyMs)} for an address, ` +
      `of which kt uses ${grouped(Math.floor(weight * share))}.`,
    `- List \`${listing.path('')}\` (weight ${listing.weight}) every ${span(listing.everyMs)}; ` +
      `the most active by [\`${ranking.path}\`](${ranking.docs}) (weight ${ranking.weight}). ` +
      (listing.without === '' ? 'All that it lists can be read.' : `Not read: ${listing.without}.`),
    `- Mapping ${mappings.map((file) => `\`sources/${file}\``).join(', ')}.`,
  ]
}

const heartbeat = ({ heartbeat: by, deadAfterMs }: MarketRules['socket']): string => {
  const who = by.from === 'server' ? 'The server pings' : `kt pings every ${span(by.everyMs)}`
  return `${who}; a connection that says nothing for ${span(deadAfterMs)} is dead.`
}

const cut = (afterMs: number): string =>
  afterMs === 0 ? 'Connections have no age.' : `Before ${span(afterMs)} of age another takes over.`

const line = (name: string, { schemas, from, card }: AnyChannel, { socket }: MarketRules) => {
  const asked = 'topic' in from ? socket.words.topic(from.topic, 'SYMBOL') : from.path
  const many = Object.keys(socket.routes).length > 1 && 'topic' in from ? ` (${from.route})` : ''
  const poll = 'topic' in from ? '' : `, every ${span(from.everyMs)}, weight ${from.weight}`
  const { of, leastMs } = silenceOf(card)
  return [
    name,
    schemas.map((schema) => schema.name).join(', '),
    `\`${asked}\`${many}${poll}`,
    card.model,
    card.numbering === 'none' ? 'none' : `${card.numbering}, by ${card.scope}`,
    `${span(leastMs)}, ${of}`,
    AGAIN[card.recoverable],
    OVERLOAD[policyOf(card)],
  ]
}

const AGAIN: Readonly<Record<Card['recoverable'], string>> = {
  none: 'no',
  window: 'for a while',
  nextDay: 'next day',
  full: 'yes',
}

const OVERLOAD: Readonly<Record<Policy, string>> = {
  drop: 'dropped',
  ticket: 'dropped, with a ticket',
  deadLetter: 'dead letter',
}

const details = (name: string, { card, seed }: AnyChannel): readonly string[] => {
  const { access, serialization, docs, evidence, domain } = card
  const begins = seed?.choices.map(({ limit, weight }) => `${grouped(limit)} levels for ${weight}`)
  return [
    `- \`${name}\`: ${domain} data, ${access}, ${serialization}; [the venue's page](${docs}). ` +
      `Seen: ${evidence}.` +
      (begins === undefined ? '' : ` Books begin over REST: ${begins.join(', ')} of weight.`),
  ]
}

const grouped = (value: number): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, ',')

const span = (ms: number): string => {
  for (const [unit, size] of UNITS) if (ms >= size && ms % size === 0) return `${ms / size} ${unit}`
  return `${ms} ms`
}

const UNITS = [
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const
