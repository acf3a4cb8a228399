import type { AnySource, Opening, OpenSource, SourceHost } from '../graph/source.ts'
import type { Control, Instrument } from '../market/system.ts'
import { assumed } from './assumed.ts'
import { Directory } from './directory.ts'
import { Intake } from './intake.ts'
import type { Inlet, InletLine } from './inlet.ts'
import { instrumentOf, select } from './listing.ts'
import type { Listing } from './listing.ts'
import { rehearse } from './rehearsal.ts'
import { limitUs, paced, silenceOf } from './staleness.ts'
import type { Pace, Silence } from './staleness.ts'
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
      /** Where it stands in the bytes; left out: it is all of them. */
      readonly from?: number
      readonly to?: number
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

/** A topic of a line, and whether it has been silent beyond its card. */
interface Played extends Pace {
  readonly line: PlayedLine
  readonly inlet: Inlet
  readonly silence: Silence
  stale: boolean
}

interface PlayedLine extends InletLine {
  /** What came of it, by channel and symbol. */
  readonly channels: Map<string, Map<string | undefined, Played>>
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
  /** The topic of the last message. */
  #played: Played | undefined
  /** The tape has rows of kt's own, so that none are made up. */
  #told = false
  #heard = 0
  #cancel: (() => void) | undefined

  constructor(source: AnySource, host: SourceHost, opening: Opening) {
    this.#market = (source as Venue<string, unknown>).market
    this.#host = host
    this.#opening = opening
    this.#intake = new Intake(this.#market, host, opening)
    this.#directory = new Directory(this.#market, host, this.#intake)
    rehearse(this.#market, host, this.#intake)
  }

  close(): void {
    this.#cancel?.()
    this.#lines.clear()
    this.#forget()
  }

  /** What is not on the tape cannot be asked for. */
  renew(): void {}

  reads(): ReturnType<OpenSource['reads']> {
    return this.#intake.reads()
  }

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
    if (this.#cancel === undefined) this.#watch()
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

  #forget(): void {
    this.#recent = undefined
    this.#played = undefined
  }

  /** Rows of our own tapes come back as they were. */
  #row(schema: 'control' | 'instrument', row: object): void {
    this.#told = true
    // A symbol may be wanted no more.
    this.#played = undefined
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

  #message(message: Extract<Recorded, { what: 'message' }>): void {
    const { bytes, received, from, to } = message
    const played = this.#playedOf(message)
    if (played === undefined) return
    const { line, inlet } = played
    paced(played, received)
    if (played.stale) this.#control('live', line, inlet.channel, inlet.symbol, '', received)
    played.stale = false
    if (received - line.told >= SECOND) {
      line.told = received
      for (const one of line.channels.keys()) this.#control('alive', line, one, undefined, '', received)
    }
    this.#intake.take(inlet, bytes, received, from, to)
  }

  /** The topic of a message: most often that of the one before it. Undefined: nobody wants it. */
  #playedOf(message: Extract<Recorded, { what: 'message' }>): Played | undefined {
    const { channel, symbol, connection, epoch, received } = message
    const last = this.#played
    if (last?.inlet.channel === channel && last.inlet.symbol === symbol) {
      if (last.line.connection === connection && last.line.epoch === epoch) return last
    }
    if (!this.#opening.channels.includes(channel)) return undefined
    if (symbol !== undefined && !this.#wanted(symbol, received)) return undefined
    const line = this.#line(connection, epoch)
    const found = line.channels.get(channel)?.get(symbol) ?? this.#begin(line, channel, symbol, received)
    this.#played = found
    return found
  }

  #begin(line: PlayedLine, channel: string, symbol: string | undefined, received: number): Played {
    const silence = silenceOf(this.#intake.channel(channel).card)
    const inlet = this.#intake.inlet(channel, symbol, line)
    const played: Played = { line, inlet, silence, heard: 0, mean: 0, stale: false }
    const symbols = line.channels.get(channel) ?? new Map<string | undefined, Played>()
    line.channels.set(channel, symbols.set(symbol, played))
    this.#control('up', line, channel, symbol, '', received)
    return played
  }

  /** As a live session does each second: what of a line is silent beyond its card is stale. */
  #watch(): void {
    this.#cancel = this.#host.clock.after(SECOND / 1000, () => {
      const now = this.#host.clock.now()
      for (const line of this.#lines.values()) {
        for (const [channel, symbols] of line.channels) {
          for (const [symbol, played] of symbols) this.#silence(line, channel, symbol, played, now)
        }
      }
      this.#watch()
    })
  }

  #silence(line: InletLine, channel: string, symbol: string | undefined, played: Played, now: number): void {
    const { silence, heard, mean, stale } = played
    if (stale || silence.of !== 'symbol' || now - heard <= limitUs(silence, mean)) return
    played.stale = true
    this.#control('stale', line, channel, symbol, `silent for ${Math.round((now - heard) / 1000)} ms`, now)
  }

  #end(connection: number, epoch: number, why: string, received: number): void {
    const line = this.#lines.get(`${connection} ${epoch}`)
    if (line === undefined) return
    for (const [channel, symbols] of line.channels) {
      for (const symbol of symbols.keys()) {
        this.#control('down', line, channel, symbol, why, received)
        if (symbol !== undefined) this.#intake.forget(channel, symbol)
      }
    }
    this.#lines.delete(`${connection} ${epoch}`)
    this.#forget()
  }

  #control(
    kind: Control['kind'],
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
    const one = this.#listed.get(symbol) ?? assumed(symbol, this.#market.listing.kind)
    if (one === undefined) {
      this.#intake.name(symbol, { instrument: '', wanted: false })
      this.#host.note('warn', 'recorded symbol is not listed', {
        source: name,
        symbol,
        fix: 'Record the list of instruments with it, or add the symbol to sources/assumed.ts.',
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
}

const SECOND = 1_000_000
