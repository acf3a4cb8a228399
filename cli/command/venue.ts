import { KtError } from '../../graph/error.ts'
import type { AnySource } from '../../graph/source.ts'
import { loadExamples } from '../../sources/driver/examples.ts'
import { loadMapping } from '../../sources/driver/jsonata.ts'
import { markets } from '../../sources/index.ts'
import { spelling } from '../../sources/mapping/spelling.ts'
import { SEEN_MIN, tierCounts } from '../../sources/mapping/templates.ts'
import { Mappings } from '../../sources/mappings.ts'
import { LastSaid } from '../../sources/patch.ts'
import { createReader, partSchemas } from '../../sources/reader.ts'
import type { MessageAbout, ReaderCounts, ReaderOf } from '../../sources/reader.ts'
import type { MarketRules } from '../../sources/venue.ts'
import { recordedFrames, simulatedFrames } from '../frames.ts'
import type { Example } from '../frames.ts'
import { EXIT, print, printJson } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { parseSource } from '../source.ts'
import { table } from '../table.ts'

interface CheckOptions extends GlobalOptions {
  readonly frames?: string
  readonly emit?: boolean
}

/** A shape that messages of a channel have, and how it is read. */
interface Shape {
  readonly shape: string
  readonly refused: string | undefined
  readonly code: string
}

/** How the messages of one part of a mapping are read. */
interface Checked {
  readonly source: string
  readonly part: string
  readonly tier: 'scanned' | 'mixed' | 'parsed' | 'refused' | 'unseen'
  readonly why: string
  readonly frames: number
  readonly scanned: number
  /** Messages that the mapping does not fit. */
  readonly broken: number
  readonly shapes: readonly Shape[]
  /** The function for messages that no shape fits. */
  readonly code: string
}

/** Recorded messages of a channel to look at: enough to meet the shapes that come seldom. */
const FRAMES_MAX = 5_000

/**
 * Which way the messages of each channel are read, and why, from messages that the simulated exchange makes
 * or from recorded ones. Ends with 65 when a mapping does not fit its schemas, with 2 when messages do not
 * fit their mapping.
 */
export const check = async (names: readonly string[], options: CheckOptions): Promise<number> => {
  const chosen = chosenOf(names)
  const examples = await examplesOf(chosen, options.frames)
  const all = chosen.flatMap(({ market }) => checkMarket(market, examples))
  if (options.json === true)
    printJson({ ok: exitOf(all) === EXIT.ok, channels: all.map(documentOf(options)) })
  else print(options.emit === true ? emitted(all) : shown(all))
  return exitOf(all)
}

const chosenOf = (names: readonly string[]): typeof markets => {
  const unknown = names.find((name) => !markets.some((one) => one.name === name))
  if (unknown !== undefined) {
    throw new KtError('KT6408', `there is no source "${unknown}"`, {
      fix: `Sources are ${markets.map((one) => one.name).join(', ')}.`,
    })
  }
  return markets.filter(({ name }) => names.length === 0 || names.includes(name))
}

const examplesOf = async (
  chosen: readonly AnySource[],
  frames: string | undefined,
): Promise<readonly Example[]> => {
  if (frames === undefined)
    return [...simulatedFrames(), ...markets.flatMap(({ market }) => askedFor(market))]
  const recording = parseSource(`replay:${frames}`)
  return recordedFrames(recording.kind === 'replay' ? recording.paths : [], chosen, FRAMES_MAX)
}

/** Beginnings of books, which the simulated exchange is not asked for. */
const askedFor = ({ name, mappings }: MarketRules): readonly Example[] =>
  mappings
    .flatMap(loadExamples)
    .filter(({ part }) => part.endsWith('.seed'))
    .map(({ part, bytes }) => ({ source: name, channel: part, symbol: 'BTCUSDT', received: 0, bytes }))

const exitOf = (all: readonly Checked[]): number => {
  if (all.some(({ tier }) => tier === 'refused')) return EXIT.graph
  return all.some(({ broken }) => broken > 0) ? EXIT.findings : EXIT.ok
}

const checkMarket = (market: MarketRules, examples: readonly Example[]): readonly Checked[] => {
  const mappings = new Mappings(market.mappings.map(loadMapping))
  return Object.entries(market.channels).flatMap(([channel, { seed }]) =>
    [channel, ...(seed === undefined ? [] : [`${channel}.seed`])].map((part): Checked => {
      const nothing = { source: market.name, part, frames: 0, scanned: 0, broken: 0, shapes: [], code: '' }
      try {
        const own = examples.filter((one) => one.source === market.name && one.channel === part)
        return checkPart(market, channel, part, mappings, own)
      } catch (error) {
        if (!(error instanceof KtError)) throw error
        return { ...nothing, tier: 'refused', why: `${error.code}: ${error.message}` }
      }
    }),
  )
}

const checkPart = (
  market: MarketRules,
  channel: string,
  part: string,
  mappings: Mappings,
  examples: readonly Example[],
): Checked => {
  const { schemas, card } = market.channels[channel]!
  const counts: ReaderCounts = { long: 0, unwanted: 0, early: 0 }
  const tiers = tierCounts()
  const found = mappings.part(part, partSchemas(schemas), counts)
  if (found === undefined) {
    throw new KtError('KT2006', `no mapping of "${market.name}" has a part "${part}"`, {
      where: market.mappings.join(', '),
      fix: `Add "${part}": { ... } to it.`,
    })
  }
  const asked = part !== channel
  const patch = card.model === 'patch'
  const shapes: Shape[] = []
  const taken = taking(market, channel, { part: found, hash: mappings.hash, patch, counts, tiers, shapes })
  // A shape is learned when it comes again; how messages are read from then on is what is asked.
  const broken = examples.map(taken).filter((wrong) => wrong !== undefined)
  for (let seen = 1; seen < SEEN_MIN; seen++) examples.forEach(taken)
  Object.assign(tiers, { scanned: 0, parsed: 0 })
  tiers.reasons.clear()
  examples.forEach(taken)
  const { scanned, parsed, reasons } = tiers
  const why = [
    ...(examples.length === 0 ? [asked ? 'asked for over REST' : 'no message of it to look at'] : []),
    ...[...reasons].map(([reason, count]) => `${count} parsed: ${reason}`),
    ...broken.slice(0, 1).map((wrong) => `${broken.length} do not fit, as ${wrong.code}: ${wrong.message}`),
  ]
  return {
    source: market.name,
    part,
    tier: tierOf(scanned, parsed),
    why: why.join('; '),
    frames: examples.length,
    scanned,
    broken: broken.length,
    shapes,
    code: found.code,
  }
}

const tierOf = (scanned: number, parsed: number): Checked['tier'] => {
  if (scanned > 0) return parsed > 0 ? 'mixed' : 'scanned'
  return parsed > 0 ? 'parsed' : 'unseen'
}

type Feeding = Pick<ReaderOf, 'part' | 'hash' | 'patch' | 'counts' | 'tiers'> & { readonly shapes: Shape[] }

/** A reader of one part that takes every symbol for listed. Each message gives what is wrong with it. */
const taking = (
  market: MarketRules,
  channel: string,
  { shapes, ...of }: Feeding,
): ((example: Example) => KtError | undefined) => {
  const named = { instrument: market.name, wanted: true }
  const reader = createReader({
    venue: market.venue,
    channel: `${market.name}.${channel}`,
    schemas: market.channels[channel]!.schemas,
    ...of,
    named: () => named,
    namedAt: () => named,
    learned: (shape, refused, code) => shapes.push({ shape, refused, code }),
  })
  const abouts = new Map<string | undefined, MessageAbout & { received: number }>()
  return ({ symbol, bytes, received }) => {
    const about = abouts.get(symbol) ?? {
      symbol,
      spelling: spelling(symbol ?? ''),
      named: undefined,
      received,
      limit: 0,
      last: market.channels[channel]!.card.model === 'patch' ? new LastSaid() : undefined,
      skipped: { first: -1, last: -1 },
    }
    abouts.set(symbol, about)
    about.received = received
    try {
      reader.read(bytes, about, () => {})
      return undefined
    } catch (error) {
      if (error instanceof KtError) return error
      throw error
    }
  }
}

const shown = (all: readonly Checked[]): string =>
  table(
    ['source', 'part', 'tier', 'frames', 'scanned', 'shapes', 'why'],
    all.map(({ source, part, tier, frames, scanned, shapes, why }) => {
      const learned = shapes.filter(({ refused }) => refused === undefined).length
      return [source, part, tier, frames, scanned, learned, why]
    }),
  )

const emitted = (all: readonly Checked[]): string =>
  all
    .flatMap(({ source, part, shapes, code }) => [
      `// ${source} ${part}, parsed`,
      code,
      ...shapes.flatMap(({ shape, refused, code: scanner }) =>
        refused === undefined
          ? [`// ${source} ${part}, scanned: ${shape}`, scanner]
          : [`// ${source} ${part}, not scanned because of ${refused}: ${shape}`],
      ),
    ])
    .join('\n\n')

const documentOf =
  ({ emit }: CheckOptions) =>
  ({ code, shapes, ...rest }: Checked): object => ({
    ...rest,
    shapes: shapes.map(({ shape, refused, code: scanner }) => ({
      shape,
      refused: refused ?? null,
      ...(emit === true ? { code: scanner } : {}),
    })),
    ...(emit === true ? { code } : {}),
  })
