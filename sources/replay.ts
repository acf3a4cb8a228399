import type { AnySource, Opening, OpenSource, SourceHost } from '../graph/source.ts'
import type { Instrument } from '../market/system.ts'
import { Directory } from './directory.ts'
import { Intake } from './intake.ts'
import type { Inlet, InletLine } from './inlet.ts'
import { instrumentOf, select } from './listing.ts'
import type { Listing } from './listing.ts'
import type { MarketRules, Venue } from './venue.ts'

/** One thing that a recording holds, with the time at which the recorder had it. */
export type Recorded = { readonly received: number; readonly source: string } & (
  | {
      readonly what: 'message'
      readonly channel: string
      readonly symbol: string | undefined
      readonly connection: number
      readonly epoch: number
      readonly bytes: Uint8Array
    }
  | {
      readonly what: 'seed'
      readonly channel: string
      readonly symbol: string
      readonly limit: number
      readonly bytes: Uint8Array
    }
  | { readonly what: 'listing'; readonly bytes: Uint8Array }
  | { readonly what: 'row'; readonly schema: 'control' | 'instrument'; readonly row: object }
  /** A connection was made anew, or the recording has no more of it. */
  | { readonly what: 'end'; readonly connection: number; readonly epoch: number; readonly why: string }
)

/** A recording of one file, in its own order, in batches. */
export interface Tape {
  readonly name: string
  readonly next: () => Promise<readonly Recorded[] | undefined>
}

/**
 * Several tapes as one, ordered by (received, tape, line): two replays of the same files are the same. A tape
 * whose clock goes back keeps its own order.
 */
export const merge = (tapes: readonly Tape[]): Tape => {
  const heads = tapes.map((tape) => ({
    tape,
    batch: [] as readonly Recorded[],
    at: 0,
    time: -Infinity,
    ended: false,
  }))
  type Head = (typeof heads)[number]
  const fill = async (head: Head): Promise<void> => {
    while (!head.ended && head.at >= head.batch.length) {
      const batch = await head.tape.next()
      head.ended = batch === undefined
      head.batch = batch ?? []
      head.at = 0
    }
    const first = head.batch[head.at]
    if (first !== undefined) head.time = Math.max(head.time, first.received)
  }
  let filled = false
  const earliest = (): Head | undefined => {
    let best: Head | undefined
    for (const head of heads) if (!head.ended && (best === undefined || head.time < best.time)) best = head
    return best
  }
  const next = async (): Promise<readonly Recorded[] | undefined> => {
    if (!filled) await Promise.all(heads.map(fill))
    filled = true
    const batch: Recorded[] = []
    while (batch.length < BATCH) {
      const head = earliest()
      if (head === undefined) return batch.length === 0 ? undefined : batch
      batch.push(head.batch[head.at] as Recorded)
      head.at += 1
      const first = head.batch[head.at]
      if (first !== undefined) head.time = Math.max(head.time, first.received)
      else await fill(head)
    }
    return batch
  }
  return { name: tapes.map((tape) => tape.name).join(' '), next }
}

const BATCH = 4096

/**
 * Pairs of symbols that recordings without a list may hold. Their steps are not known, which a step of 0
 * says.
 */
const PAIRS: Readonly<Record<string, readonly [base: string, quote: string]>> = {
  BTCUSDT: ['BTC', 'USDT'],
  ETHUSDT: ['ETH', 'USDT'],
  SOLUSDT: ['SOL', 'USDT'],
  BNBUSDT: ['BNB', 'USDT'],
  XRPUSDT: ['XRP', 'USDT'],
  DOGEUSDT: ['DOGE', 'USDT'],
  ETHBTC: ['ETH', 'BTC'],
}

interface PlayedLine extends InletLine {
  /** What came of it, by channel and symbol. */
  readonly channels: Map<string, Map<string | undefined, Inlet>>
  /** Any message proves the life of all that is on the line; when that was last told, microseconds. */
  told: number
}

/** A source in replay: the same readers and trackers as live, fed by what was recorded, with its time. */
export class Player implements OpenSource {
  readonly #market: MarketRules
  readonly #host: SourceHost
  readonly #opening: Opening
  readonly #intake: Intake
  readonly #directory: Directory
  readonly #listed = new Map<string, Listing>()
  readonly #lines = new Map<string, PlayedLine>()
  /** The line of the last message: most often that of the next. */
  #recent: PlayedLine | undefined
  /** The tape has rows of kt's own, so that none are made up. */
  #told = false
  #heard = 0

  constructor(source: AnySource, host: SourceHost, opening: Opening) {
    this.#market = (source as Venue<string, unknown>).market
    this.#host = host
    this.#opening = opening
    this.#intake = new Intake(this.#market, host, opening)
    this.#directory = new Directory(this.#market, host, this.#intake)
  }

  close(): void {
    this.#lines.clear()
    this.#recent = undefined
  }

  /** What is not on the tape cannot be asked for. */
  renew(): void {}

  status(): ReturnType<OpenSource['status']> {
    const symbols = new Set([...this.#listed.keys()]).size
    return [...this.#lines.values()].map(({ connection, epoch }) => ({
      source: this.#market.name,
      connection,
      epoch,
      state: 'live',
      symbols,
      why: 'replay',
      heard: this.#heard,
    }))
  }

  deliver(recorded: Recorded): void {
    this.#heard = recorded.received
    switch (recorded.what) {
      case 'listing':
        return this.#list(recorded.bytes)
      case 'row':
        return this.#row(recorded.schema, recorded.row)
      case 'end':
        return this.#end(recorded.connection, recorded.epoch, recorded.why, recorded.received)
      case 'seed':
        return this.#seed(recorded)
      case 'message':
        return this.#message(recorded)
    }
  }

  #list(bytes: Uint8Array): void {
    for (const one of this.#directory.read(bytes)?.listings ?? []) this.#listed.set(one.symbol, one)
  }

  /** Rows of our own tapes come back as they were. */
  #row(schema: 'control' | 'instrument', row: object): void {
    this.#told = true
    const { instrument } = row as { readonly instrument: string }
    if (schema === 'instrument') {
      const { symbol } = row as Instrument
      const wanted = this.#opening.owns(instrument)
      this.#intake.name(symbol, { instrument, wanted })
      if (wanted) this.#host.system(schema, row)
    } else if (instrument === '' || this.#opening.owns(instrument)) this.#host.system(schema, row)
  }

  #seed({ channel, symbol, limit, bytes, received }: Extract<Recorded, { what: 'seed' }>): void {
    if (!this.#opening.channels.includes(channel) || !this.#wanted(symbol, received)) return
    const inlet = this.#intake.inlet(channel, symbol, this.#line(0, 0))
    this.#intake.seed(inlet, bytes, received, limit)
  }

  #message({
    channel,
    symbol,
    connection,
    epoch,
    bytes,
    received,
  }: Extract<Recorded, { what: 'message' }>): void {
    if (!this.#opening.channels.includes(channel)) return
    if (symbol !== undefined && !this.#wanted(symbol, received)) return
    const line = this.#line(connection, epoch)
    const inlets = line.channels.get(channel) ?? new Map<string | undefined, Inlet>()
    let inlet = inlets.get(symbol)
    if (inlet === undefined) {
      inlet = this.#intake.inlet(channel, symbol, line)
      line.channels.set(channel, inlets.set(symbol, inlet))
      this.#control('up', line, channel, symbol, '', received)
    }
    if (received - line.told >= SECOND) {
      line.told = received
      for (const one of line.channels.keys()) this.#control('alive', line, one, undefined, '', received)
    }
    this.#intake.take(inlet, bytes, received)
  }

  #end(connection: number, epoch: number, why: string, received: number): void {
    const line = this.#lines.get(`${connection} ${epoch}`)
    if (line === undefined) return
    for (const { channel, symbol } of [...line.channels.values()].flatMap((inlets) => [...inlets.values()])) {
      this.#control('down', line, channel, symbol, why, received)
      if (symbol !== undefined) this.#intake.forget(channel, symbol)
    }
    this.#lines.delete(`${connection} ${epoch}`)
    this.#recent = undefined
  }

  #control(
    kind: 'up' | 'down' | 'alive',
    line: InletLine,
    channel: string,
    symbol: string | undefined,
    why: string,
    time: number,
  ): void {
    if (this.#told) return
    const instrument = symbol === undefined ? '' : (this.#intake.named(symbol)?.instrument ?? '')
    this.#intake.control(
      kind,
      { channel, instrument, connection: line.connection, epoch: line.epoch, why },
      time,
    )
  }

  #line(connection: number, epoch: number): PlayedLine {
    const recent = this.#recent
    if (recent?.connection === connection && recent.epoch === epoch) return recent
    const key = `${connection} ${epoch}`
    const known = this.#lines.get(key)
    if (known !== undefined) return (this.#recent = known)
    const line: PlayedLine = { connection, epoch, frames: 0, channels: new Map(), told: 0 }
    this.#lines.set(key, line)
    return line
  }

  /** Name a symbol when it is first met: by the recorded list, or by the table above. */
  #wanted(symbol: string, time: number): boolean {
    const known = this.#intake.named(symbol)
    if (known !== undefined) return known.wanted
    const { venue, name } = this.#market
    const one = this.#listed.get(symbol) ?? this.#assumed(symbol)
    if (one === undefined) {
      this.#intake.name(symbol, { instrument: '', wanted: false })
      this.#host.note('warn', 'recorded symbol is not listed', {
        source: name,
        symbol,
        fix: 'Record the list of instruments with it, or add the symbol to sources/replay.ts.',
      })
      return false
    }
    const { quote, pairs } = this.#opening.universe
    const universe = { ...(quote === undefined ? {} : { quote }), ...(pairs === undefined ? {} : { pairs }) }
    const row = instrumentOf(one, venue, name, time)
    const wanted = select([one], venue, universe, new Map()).length > 0 && this.#opening.owns(row.instrument)
    this.#intake.name(symbol, { instrument: row.instrument, wanted })
    if (wanted) this.#intake.instrument(row)
    return wanted
  }

  #assumed(symbol: string): Listing | undefined {
    const [base, quote] = PAIRS[symbol] ?? []
    if (base === undefined || quote === undefined) return undefined
    return {
      symbol,
      kind: this.#market.listing.kind,
      base,
      quote,
      settle: quote,
      contractSize: 1,
      inverse: false,
      tickSize: 0,
      lotSize: 0,
      status: 'trading',
    }
  }
}

const SECOND = 1_000_000
