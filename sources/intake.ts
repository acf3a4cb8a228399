import { GraphError, VenueError } from '../graph/error.ts'
import { kept } from '../graph/row.ts'
import type { ChannelReads, Opening, EmitRow, Frame, SourceHost } from '../graph/source.ts'
import type { Control, Instrument } from '../market/system.ts'
import { continues } from '../market/sequence.ts'
import { keyOf, Letter } from './inlet.ts'
import type { Inlet, InletLine, Run } from './inlet.ts'
import { spelling } from './mapping/spelling.ts'
import { tierCounts } from './mapping/templates.ts'
import type { TierCounts } from './mapping/templates.ts'
import { Mappings } from './mappings.ts'
import { createReader, partSchemas } from './reader.ts'
import { Names } from './names.ts'
import type { Named } from './names.ts'
import { LastSaid } from './patch.ts'
import type { MessageAbout, Reader, ReaderCounts, Skipped } from './reader.ts'
import type { AnyChannel, MarketRules } from './venue.ts'

const NO_RUN: Run = { first: 0, last: -1, seeded: false, seededAt: 0, frames: 0 }

type Row = { readonly schema: string; readonly row: object }

/**
 * Where the messages of one source become frames, live and in replay alike: it knows the readers, our names
 * for symbols, and how far each book goes without a hole.
 */
export class Intake {
  readonly counts: ReaderCounts = { long: 0, unwanted: 0, early: 0 }
  readonly #tiers = new Map<string, TierCounts>()
  readonly runs = new Map<string, Run>()
  /** Called when a book has a hole and must begin anew. */
  onGap: (symbol: string, channel: string) => void = () => {}
  readonly #market: MarketRules
  readonly #host: SourceHost
  readonly #readers = new Map<string, Reader>()
  readonly #names = new Names()
  readonly #skipped = new Map<string, Skipped>()
  readonly #letter: Letter
  /** How the letter at hand is read, and what it came through. */
  #read: (emit: EmitRow) => void
  #inlet: Inlet | undefined
  #emit: EmitRow = () => {}
  readonly mappings: Mappings

  constructor(market: MarketRules, host: SourceHost, opening: Opening) {
    this.#market = market
    this.#host = host
    this.#read = this.#readMessage
    this.#letter = new Letter(market.name, (emit) => this.#read(emit))
    this.mappings = new Mappings(market.mappings.map(host.mapping))
    for (const channel of opening.channels) {
      this.#readers.set(channel, this.#reader(channel, channel))
      if (this.channel(channel).seed !== undefined) {
        this.#readers.set(`${channel}.seed`, this.#reader(channel, `${channel}.seed`))
      }
    }
  }

  channel(channel: string): AnyChannel {
    const found = this.#market.channels[channel]
    if (found !== undefined) return found
    throw new GraphError('KT2005', `source "${this.#market.name}" has no channel "${channel}"`, {
      fix: `Use ${Object.keys(this.#market.channels).join(', ')}.`,
    })
  }

  /** Rows of a symbol that is not wanted are dropped; one without a name breaks the contract. */
  name(symbol: string, named: Readonly<Named>): void {
    this.#names.set(symbol, named)
  }

  named(symbol: string): Readonly<Named> | undefined {
    return this.#names.get(symbol)
  }

  /** Of a channel, or of the beginning of its books. */
  reader(part: string): Reader | undefined {
    return this.#readers.get(part)
  }

  inlet(channel: string, symbol: string | undefined, line: InletLine): Inlet {
    const { model } = this.channel(channel).card
    const about = { ...this.#about(channel, symbol), last: model === 'patch' ? new LastSaid() : undefined }
    const reader = this.#readers.get(channel) as Reader
    const run = this.run(keyOf(channel, symbol))
    return { channel, symbol, line, about, reader, tracked: model === 'delta', run }
  }

  /** Hand a message to the graph. The bytes are valid only until this returns. */
  take(inlet: Inlet, bytes: Uint8Array, received: number, from = 0, to = bytes.length): void {
    inlet.about.received = received
    this.#hand(inlet, bytes, received, this.#readMessage, from, to)
  }

  readonly #readMessage = (emit: EmitRow): void => {
    const inlet = this.#inlet as Inlet
    const { buffer, from, to } = this.#letter
    if (!inlet.tracked) return inlet.reader.read(buffer, inlet.about, emit, from, to)
    this.#emit = emit
    try {
      inlet.reader.read(buffer, inlet.about, this.#emitTracked, from, to)
    } catch (error) {
      // Whatever it said is lost, so that the book must begin anew, even where the ids go on.
      inlet.run.last = -1
      throw error
    }
  }

  readonly #emitTracked: EmitRow = (schema, row) => {
    this.#track(this.#inlet as Inlet, row as Tracked)
    this.#emit(schema, row)
  }

  /** Hand on a message that is of no channel, so that it is not lost from sight. */
  stray(channel: string, line: InletLine, bytes: Uint8Array, received: number): void {
    this.#hand({ channel, symbol: undefined, line }, bytes, received, () => {
      throw new VenueError('KT2110', `"${this.#market.name}" sent a message that is of no channel`, {
        where: this.#market.name,
        fix: 'Look at it in the dead letters: has the venue a new kind of message?',
        facts: { mapping: this.mappings.hash },
      })
    })
  }

  /**
   * Hand the beginning of a book to the graph. False when it is older than the messages at hand, so that it
   * would leave a hole: it is not handed on. A beginning that breaks the contract goes the way of all such
   * frames.
   */
  seed(inlet: Inlet, bytes: Uint8Array, received: number, limit: number): boolean {
    const rows: Row[] = []
    const { run } = inlet
    const reader = this.#readers.get(`${inlet.channel}.seed`) as Reader
    const about = { ...inlet.about, received, limit }
    let failure: unknown
    try {
      reader.read(bytes, about, (schema, row) => rows.push({ schema, row: kept(row) }))
    } catch (error) {
      failure = error
    }
    const last = (rows[0]?.row as Tracked | undefined)?.last ?? -1
    if (failure === undefined && run.last >= 0 && last + 1 < run.first) return false
    // Under pressure a frame is dropped without being read.
    let taken = false
    this.#hand(inlet, bytes, received, (emit) => {
      if (failure !== undefined) throw failure
      taken = true
      for (const { schema, row } of rows) emit(schema, row)
    })
    if (!taken) return false
    run.seeded = true
    run.seededAt = received
    if (last > run.last) {
      run.first = last + 1
      run.last = last
    }
    return true
  }

  run(key: string): Run {
    const run = this.runs.get(key) ?? { ...NO_RUN }
    this.runs.set(key, run)
    return run
  }

  /** Nothing is known of a book any more: its connection is gone. */
  forget(channel: string, symbol: string): void {
    const run = this.runs.get(keyOf(channel, symbol))
    if (run !== undefined) Object.assign(run, NO_RUN)
  }

  control(
    kind: Control['kind'],
    of: Pick<Control, 'channel' | 'instrument' | 'connection' | 'epoch' | 'why'>,
    time: number,
  ): void {
    const { channel, instrument, connection, epoch, why } = of
    this.#host.system('control', {
      kind,
      source: this.#market.name,
      channel,
      instrument,
      connection,
      epoch,
      why,
      time,
      received: time,
    })
  }

  instrument(row: Instrument): void {
    this.#host.system('instrument', row)
  }

  #reader(channel: string, part: string): Reader {
    const { schemas, card } = this.channel(channel)
    const found = this.mappings.part(part, partSchemas(schemas), this.counts)
    if (found === undefined) {
      throw new GraphError('KT2006', `no mapping of "${this.#market.name}" has a part "${part}"`, {
        where: this.#market.mappings.join(', '),
        fix: `Add "${part}": { ... } to it.`,
      })
    }
    return createReader({
      venue: this.#market.venue,
      channel: `${this.#market.name}.${channel}`,
      schemas,
      part: found,
      hash: this.mappings.hash,
      patch: card.model === 'patch',
      named: (symbol) => this.#names.get(symbol),
      namedAt: (bytes, from, to) => this.#names.at(bytes, from, to),
      counts: this.counts,
      tiers: this.#tiersOf(channel),
      learned: (shape, refused) => this.#learned(channel, shape, refused),
    })
  }

  /** How messages were read, and how often they were parsed for what reason, by channel. */
  reads(): readonly ChannelReads[] {
    const source = this.#market.name
    return [...this.#tiers].map(([channel, of]) => ({ source, channel, ...of, parsed: of.reasons }))
  }

  #tiersOf(channel: string): TierCounts {
    const tiers = this.#tiers.get(channel) ?? tierCounts()
    this.#tiers.set(channel, tiers)
    return tiers
  }

  /** Of what shape a channel's messages are is worth knowing: the venue may have changed them. */
  #learned(channel: string, shape: string, refused: string | undefined): void {
    const [level, what] =
      refused === undefined
        ? (['debug', 'messages of a new shape are scanned'] as const)
        : (['info', 'messages of a shape are parsed whole'] as const)
    const why = refused === undefined ? {} : { why: refused }
    this.#host.note(level, what, { source: this.#market.name, channel, shape: shape.slice(0, 200), ...why })
  }

  #about(channel: string, symbol: string | undefined): MessageAbout & { received: number } {
    const key = keyOf(channel, symbol)
    const skipped = this.#skipped.get(key) ?? { first: -1, last: -1 }
    this.#skipped.set(key, skipped)
    const about = { symbol, spelling: spelling(symbol ?? ''), named: undefined, received: 0, limit: 0 }
    return { ...about, last: undefined, skipped }
  }

  #hand(
    inlet: Pick<Inlet, 'channel' | 'symbol' | 'line'>,
    bytes: Uint8Array,
    received: number,
    read: (emit: EmitRow) => void,
    from = 0,
    to = bytes.length,
  ): void {
    const letter = this.#letter
    inlet.line.frames += 1
    letter.channel = inlet.channel
    letter.connection = inlet.line.connection
    letter.epoch = inlet.line.epoch
    letter.frame = inlet.line.frames
    letter.received = received
    letter.symbol = inlet.symbol
    letter.buffer = bytes
    letter.from = from
    letter.to = to
    this.#read = read
    this.#inlet = inlet as Inlet
    this.#host.frame(letter as unknown as Frame<never>)
  }

  #track(inlet: Inlet, row: Tracked): void {
    const { run } = inlet
    const { first, last, snapshot } = row
    run.frames += 1
    if (first === null || last === null) return
    if (snapshot === true) {
      ;[run.first, run.last, run.seeded] = [last + 1, last, true]
      return
    }
    const verdict = run.last < 0 ? 'gap' : continues(run.last, first, last)
    if (verdict === 'repeat') return
    if (verdict === 'apply') run.last = last
    else this.#hole(inlet, run, first, last)
  }

  #hole(inlet: Inlet, run: Run, first: number, last: number): void {
    run.first = first
    run.last = last
    run.seeded = false
    if (inlet.symbol !== undefined) this.onGap(inlet.symbol, inlet.channel)
  }
}

interface Tracked {
  readonly first: number | null
  readonly last: number | null
  readonly snapshot?: boolean
}
