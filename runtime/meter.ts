import type { ShardReport } from './status.ts'

/**
 * What a shard counts about itself, as plain data: the terminal, `/metrics` and tests read the same
 * numbers.
 */
export interface ShardStatus {
  readonly frames: number
  readonly rows: Readonly<Record<string, number>>
  /** Books by trust, from the newest quote of each instrument. */
  readonly trust: Readonly<Record<string, number>>
  /** Rows that compare two legs: those with prices, and those without by the reason. */
  readonly basis: { readonly live: number; readonly withheld: Readonly<Record<string, number>> }
  readonly gaps: { readonly opened: number; readonly healed: number }
  readonly deadLetters: number
  readonly lastDeadLetter: string
  readonly dropped: number
  readonly backlogBytes: number
  readonly steps: number
  readonly bytes: number
  /** From handing a step over until it was durable, microseconds. */
  readonly durableP50Us: number
  readonly durableP99Us: number
  /** Receive time minus venue time of the newest rows, microseconds; negative when the clocks differ. */
  readonly venueP50Us: number
  readonly checkpointStep: number
  readonly recovered: { readonly step: number; readonly rows: number } | undefined
}

/** A row of the hop ledger, for `kt.latency`. */
export interface HopRow {
  /** As the graph names them; both are empty where a hop is of the whole shard. */
  readonly source: string
  readonly channel: string
  readonly hop: 'venue' | 'normalize' | 'log'
  readonly time: number
  readonly count: number
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
}

const SAMPLES = 1024

/** The newest measurements of one hop; older ones are overwritten. */
class Samples {
  readonly #values = new Float64Array(SAMPLES)
  #next = 0
  count = 0

  add(value: number): void {
    this.#values[this.#next++ % SAMPLES] = value
    this.count++
  }

  quantiles(): readonly [number, number, number] {
    const sorted = this.#values.slice(0, Math.min(this.#next, SAMPLES)).sort()
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
    return [at(0.5), at(0.99), sorted.at(-1) ?? 0]
  }

  clear(): void {
    this.#next = 0
    this.count = 0
  }
}

/** Counts what a shard reports; `status` and `hops` read the counts. */
export class Meter {
  /** By source and channel, so that no name is put together for a message. */
  readonly #hops = new Map<string, Map<string, Hops>>()
  /** How late the first row of the message at hand was; NaN: it has made none that tells. */
  #lateUs = Number.NaN
  readonly #rows: Record<string, number> = {}
  readonly #trust = new Map<string, string>()
  readonly #durable = new Samples()
  #venue = new Samples()
  #frames = 0
  #live = 0
  readonly #withheld: Record<string, number> = {}
  #gaps = { opened: 0, healed: 0 }
  #deadLetters = 0
  #lastDeadLetter = ''
  #dropped = 0
  #backlogBytes = 0
  #steps = 0
  #bytes = 0
  #checkpointStep = 0
  #recovered: ShardStatus['recovered']

  readonly report: Omit<ShardReport, 'checkpointFailed' | 'brokenCheckpoint' | 'follows' | 'died'> = {
    frame: ({ source, channel, received }, now) => {
      this.#frames++
      const hops = this.#hopsOf(source, channel)
      hops.normalize.add(now - received)
      if (!Number.isNaN(this.#lateUs)) hops.venue.add(this.#lateUs)
      this.#lateUs = Number.NaN
    },
    row: (schema, row) => this.#row(schema, row as MeteredRow),
    durable: ({ bytes, us }) => {
      this.#steps++
      this.#bytes += bytes
      this.#durable.add(us)
      this.#hopsOf('', '').log.add(us)
    },
    deadLetter: (frame, error) => {
      this.#deadLetters++
      this.#lastDeadLetter = `${frame.source} ${frame.channel}: ${error.message}`
    },
    dropped: () => void this.#dropped++,
    backlog: (bytes) => void (this.#backlogBytes = bytes),
    checkpoint: ({ step }) => void (this.#checkpointStep = step),
    recovered: ({ step, rows }) => void (this.#recovered = { step, rows }),
  }

  status(): ShardStatus {
    const [durableP50Us, durableP99Us] = this.#durable.quantiles()
    const [venueP50Us] = this.#venue.quantiles()
    const trust: Record<string, number> = {}
    for (const one of this.#trust.values()) trust[one] = (trust[one] ?? 0) + 1
    this.#venue = new Samples()
    return {
      frames: this.#frames,
      rows: { ...this.#rows },
      trust,
      basis: { live: this.#live, withheld: { ...this.#withheld } },
      gaps: { ...this.#gaps },
      deadLetters: this.#deadLetters,
      lastDeadLetter: this.#lastDeadLetter,
      dropped: this.#dropped,
      backlogBytes: this.#backlogBytes,
      steps: this.#steps,
      bytes: this.#bytes,
      durableP50Us,
      durableP99Us,
      venueP50Us,
      checkpointStep: this.#checkpointStep,
      recovered: this.#recovered,
    }
  }

  /** The hop ledger since the last call. */
  hops(time: number): readonly HopRow[] {
    const rows: HopRow[] = []
    for (const [source, channels] of this.#hops) {
      for (const [channel, hops] of channels) {
        for (const hop of HOPS) {
          const samples = hops[hop]
          if (samples.count === 0) continue
          const [p50Us, p99Us, maxUs] = samples.quantiles()
          rows.push({ source, channel, hop, time, count: samples.count, p50Us, p99Us, maxUs })
          samples.clear()
        }
      }
    }
    return rows
  }

  #row(schema: string, row: MeteredRow): void {
    this.#rows[schema] = (this.#rows[schema] ?? 0) + 1
    if (schema === 'quote') this.#trust.set(row.instrument, row.trust)
    else if (schema === 'basis') {
      if (row.state === 'live') this.#live++
      else this.#withheld[row.why] = (this.#withheld[row.why] ?? 0) + 1
    } else if (schema === 'gap') this.#gaps[row.event]++
    else if (PRINTED.has(schema) && row.origin !== 'rest') {
      const us = row.received - row.time
      // Where the venue sends no time, a row has ours.
      if (us === 0) return
      this.#venue.add(us)
      if (Number.isNaN(this.#lateUs)) this.#lateUs = us
    }
  }

  #hopsOf(source: string, channel: string): Hops {
    let channels = this.#hops.get(source)
    if (channels === undefined) this.#hops.set(source, (channels = new Map()))
    let hops = channels.get(channel)
    if (hops === undefined)
      channels.set(channel, (hops = { venue: new Samples(), normalize: new Samples(), log: new Samples() }))
    return hops
  }
}

type Hops = Readonly<Record<HopRow['hop'], Samples>>

const HOPS = ['venue', 'normalize', 'log'] as const
/** Rows whose time is that of the venue's own message. */
const PRINTED: ReadonlySet<string> = new Set(['trade', 'bookDelta', 'ticker', 'mark'])

interface MeteredRow {
  readonly instrument: string
  /** Of book changes: an answer over REST says nothing of how late a message is. */
  readonly origin?: 'stream' | 'rest'
  readonly trust: string
  readonly state: string
  readonly why: string
  readonly event: 'opened' | 'healed'
  readonly time: number
  readonly received: number
}
