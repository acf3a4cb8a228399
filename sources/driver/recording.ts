import { existsSync, globSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { GraphError } from '../../graph/error.ts'
import type { AnySource, Opening, OpenSource, SourceHost } from '../../graph/source.ts'
import { merge } from '../merge.ts'
import { Player } from '../replay.ts'
import type { Recorded, Tape } from '../replay.ts'
import type { MarketRules, Venue } from '../venue.ts'
import { tapeReader } from './capture.ts'
import { cryptofeedRows, Finder, hftbacktestLine, hftbacktestMarket } from './foreign.ts'
import { linesOf } from './lines.ts'

/** What a recording holds of one channel. */
export interface Content {
  readonly source: string
  readonly channel: string
  readonly symbols: readonly string[]
  readonly frames: number
  /** Received times of the first and the last message, microseconds. */
  readonly from: number
  readonly to: number
}

interface Lacking {
  readonly source: string
  readonly channel: string
}

/**
 * One thing to be done, at the recording's own time, which never goes back: where a recorder's clock did, it
 * stands.
 */
export interface Moment {
  readonly received: number
  readonly deliver: () => void
}

/** Files of recorded messages as one, in the order in which they were received. */
export interface Recording {
  readonly files: readonly string[]
  readonly has: readonly Content[]
  /** Channels of the given sources that no file holds. */
  readonly absent: readonly Lacking[]
  /** Channels whose books no file begins, where the stream itself does not. */
  readonly unseeded: readonly Lacking[]
  /** Stand in for `source.open`: its frames come with `next`. */
  readonly open: (source: AnySource, host: SourceHost, opening: Opening) => OpenSource
  /** The next moments, in order; undefined at the end. Set the clock to `received`, then deliver. */
  readonly next: () => Promise<readonly Moment[] | undefined>
}

export interface RecordingOptions {
  /** Files, folders, or patterns as in a shell: `{spot,usdm}*.gz`, `**`. A name that exists is itself. */
  readonly paths: readonly string[]
  /** The sources that may be in it. */
  readonly sources: readonly AnySource[]
  /** The channels of each source that are read, by its name; by default all. Others are passed over. */
  readonly channels?: Readonly<Record<string, readonly string[]>>
  /** Leave out what this holds true of: holes are cut into recordings by tests. */
  readonly drop?: (recorded: Recorded) => boolean
  /** Tapes of the caller's own, merged with the files by time; they are in neither `has` nor `absent`. */
  readonly extra?: readonly Tape[]
}

/** Open files of kt's own tapes, of hftbacktest and of cryptofeed, and say what is in them. */
export const openRecording = async ({
  paths,
  sources,
  channels: wanted = {},
  drop = () => false,
  extra = [],
}: RecordingOptions): Promise<Recording> => {
  const files = filesOf(paths)
  const markets = sources.map((source) =>
    narrowed((source as Venue<string, unknown>).market, wanted[source.name]),
  )
  const contents = await Promise.all(files.map(async (file) => contentOf(tapeOf(file, markets))))
  const has = combined(contents.flatMap(({ channels }) => channels))
  const seeded = new Set(contents.flatMap(({ seeded }) => seeded))
  const channels = markets.flatMap((market) =>
    Object.entries(market.channels).map(([channel, { seed }]) => {
      const held = has.some((one) => one.source === market.name && one.channel === channel)
      return { source: market.name, channel, held, seed }
    }),
  )
  const lacking = (those: typeof channels): readonly Lacking[] =>
    those.map(({ source, channel }) => ({ source, channel }))
  const absent = lacking(channels.filter(({ held }) => !held))
  const unseeded = lacking(
    channels.filter(
      ({ source, channel, held, seed }) => held && seed !== undefined && !seeded.has(`${source} ${channel}`),
    ),
  )
  const players = new Map<string, Player>()
  const tape = merge([
    ...files.map((file) => tapeOf(file, markets)),
    ...extra,
    endsOf(contents.flatMap(({ ends }) => ends)),
  ])
  const open: Recording['open'] = (source, host, opening) => {
    const player = new Player(source, host, opening)
    players.set(source.name, player)
    return player
  }
  let clock = 0
  const next: Recording['next'] = async () => {
    const batch = await tape.next()
    return batch
      ?.filter((one) => !drop(one))
      .map((one) => {
        clock = Math.max(clock, one.received)
        return { received: clock, deliver: () => players.get(one.source)?.deliver(one) }
      })
  }
  return Object.freeze({ files, has, absent, unseeded, open, next })
}

/** A market with some of its channels: messages of the others are then of none. */
const narrowed = (market: MarketRules, wanted: readonly string[] | undefined): MarketRules => {
  if (wanted === undefined) return market
  const channels = Object.entries(market.channels).filter(([name]) => wanted.includes(name))
  return { ...market, channels: Object.fromEntries(channels) }
}

const KNOWN = /\.(gz|zst|tape|jsonl|dat)$/

const filesOf = (paths: readonly string[]): readonly string[] => {
  const files = paths.flatMap((path) => {
    const found = existsSync(path) ? [path] : globSync(path)
    return found.flatMap((one) => (statSync(one).isDirectory() ? inside(one) : [one]))
  })
  if (files.length > 0) return [...new Set(files)].sort()
  throw new GraphError('KT2201', `no recording is at ${paths.map((path) => `"${path}"`).join(', ')}`, {
    fix: 'Give files, folders or patterns: tapes of kt record, .gz of hftbacktest, .zst of cryptofeed.',
  })
}

const inside = (folder: string): readonly string[] =>
  globSync('**/*', { cwd: folder })
    .map((name) => join(folder, name))
    .filter((path) => KNOWN.test(path) && statSync(path).isFile())

/** One file, whatever its form. A file that holds nothing of the markets is empty. */
const tapeOf = (name: string, markets: readonly MarketRules[]): Tape => {
  const recorded = read(name, markets)
  return { name, next: async () => (await recorded.next()).value }
}

async function* read(
  file: string,
  markets: readonly MarketRules[],
): AsyncGenerator<readonly Recorded[], undefined> {
  let form: ((line: Buffer) => Recorded | undefined) | undefined
  let head: Buffer[] = []
  for await (const lines of linesOf(file)) {
    if (form === undefined) {
      head.push(...lines)
      if (head.length < HEAD_LINES && head[0]?.[0] !== OPENING_BRACE) continue
      form = formOf(head, markets)
      if (form === undefined && !cryptofeed(head)) return undefined
      if (form !== undefined) yield recordedOf(head, form)
      if (form !== undefined) head = []
    } else yield recordedOf(lines, form)
  }
  if (cryptofeed(head)) yield cryptofeedRows(head, markets)
  else if (form === undefined && head.length > 0) {
    const late = formOf(head, markets)
    if (late !== undefined) yield recordedOf(head, late)
  }
  return undefined
}

/** Lines that tell what a file without a header is of. */
const HEAD_LINES = 500
const OPENING_BRACE = 0x7b

const recordedOf = (
  lines: readonly Buffer[],
  form: (line: Buffer) => Recorded | undefined,
): readonly Recorded[] => {
  const all: Recorded[] = []
  for (const line of lines) {
    const one = form(line)
    if (one !== undefined) all.push(one)
  }
  return all
}

const cryptofeed = (head: readonly Buffer[]): boolean =>
  head[0]?.subarray(0, 13).toString() === '{"t":"header"'

const formOf = (
  head: readonly Buffer[],
  markets: readonly MarketRules[],
): ((line: Buffer) => Recorded | undefined) | undefined => {
  const [first] = head
  if (first === undefined || cryptofeed(head)) return undefined
  if (first.subarray(0, 6).toString() === '{"kt":') return tapeReader()
  const found = /^\d{16,19} /.test(first.toString('latin1', 0, 24))
    ? hftbacktestMarket(head, markets)
    : undefined
  if (found === undefined) return undefined
  const finder = new Finder(found.market)
  return (line) => hftbacktestLine(line, found.market, finder, found.symbol)
}

interface Line {
  readonly source: string
  readonly connection: number
  readonly epoch: number
  readonly last: number
}

/** Read a file once to know what it holds. */
const contentOf = async (
  tape: Tape,
): Promise<{
  readonly channels: readonly Content[]
  readonly ends: readonly Line[]
  readonly seeded: readonly string[]
}> => {
  const channels = new Map<string, Content & { symbols: string[]; frames: number; to: number }>()
  const lines = new Map<string, Line>()
  const seeded = new Set<string>()
  for (let batch = await tape.next(); batch !== undefined; batch = await tape.next()) {
    for (const one of batch) {
      if (one.what === 'seed') seeded.add(`${one.source} ${one.channel}`)
      if (one.what !== 'message') continue
      const { source, channel, symbol, received, connection, epoch } = one
      const key = `${source} ${channel}`
      const content = channels.get(key) ?? {
        source,
        channel,
        symbols: [],
        frames: 0,
        from: received,
        to: received,
      }
      content.frames += 1
      content.to = Math.max(content.to, received)
      if (symbol !== undefined && !content.symbols.includes(symbol)) content.symbols.push(symbol)
      channels.set(key, content)
      lines.set(`${source} ${connection} ${epoch}`, { source, connection, epoch, last: received })
    }
  }
  return { channels: [...channels.values()], ends: [...lines.values()], seeded: [...seeded] }
}

const combined = (contents: readonly Content[]): readonly Content[] => {
  const all = new Map<string, Content>()
  for (const one of contents) {
    const known = all.get(`${one.source} ${one.channel}`)
    all.set(
      `${one.source} ${one.channel}`,
      known === undefined
        ? one
        : {
            ...known,
            symbols: [...new Set([...known.symbols, ...one.symbols])],
            frames: known.frames + one.frames,
            from: Math.min(known.from, one.from),
            to: Math.max(known.to, one.to),
          },
    )
  }
  return [...all.values()]
}

/** Where the recording of a connection ends, over all files, which is a loss of it like any other. */
const endsOf = (lines: readonly Line[]): Tape => {
  const last = new Map<string, Line>()
  for (const line of lines) {
    const key = `${line.source} ${line.connection} ${line.epoch}`
    if ((last.get(key)?.last ?? -1) < line.last) last.set(key, line)
  }
  let batch: readonly Recorded[] | undefined = [...last.values()]
    .sort((a, b) => a.last - b.last)
    .map(({ source, connection, epoch, last: received }) => ({
      what: 'end',
      received,
      source,
      connection,
      epoch,
      why: 'the recording ended',
    }))
  const next = async (): Promise<readonly Recorded[] | undefined> => {
    const given = batch
    batch = undefined
    return given
  }
  return { name: 'ends', next }
}
