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
  readonly #hops = new Map<
    string,
    {
      readonly source: string
      readonly channel: string
      readonly hop: HopRow['hop']
      readonly samples: Samples
    }
  >()
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

  readonly report: Omit<ShardReport, 'checkpointFailed' | 'brokenCheckpoint' | 'died'> = {
    frame: () => void this.#frames++,
    row: (schema, row) => this.#row(schema, row as MeteredRow),
    durable: ({ bytes, us }) => {
      this.#steps++
      this.#bytes += bytes
      this.#durable.add(us)
      this.#hop('', '', 'log', us)
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
    return [...this.#hops.values()].flatMap(({ source, channel, hop, samples }) => {
      if (samples.count === 0) return []
      const [p50Us, p99Us, maxUs] = samples.quantiles()
      const row = { source, channel, hop, time, count: samples.count, p50Us, p99Us, maxUs }
      samples.clear()
      return [row]
    })
  }

  #row(schema: string, row: MeteredRow): void {
    this.#rows[schema] = (this.#rows[schema] ?? 0) + 1
    if (schema === 'quote') this.#trust.set(row.instrument, row.trust)
    else if (schema === 'basis') {
      if (row.state === 'live') this.#live++
      else this.#withheld[row.why] = (this.#withheld[row.why] ?? 0) + 1
    } else if (schema === 'gap') this.#gaps[row.event]++
    else if (schema === 'trade' || schema === 'bookDelta') {
      const us = row.received - row.time
      this.#venue.add(us)
      this.#hop(row.venue, schema, 'venue', us)
    }
  }

  #hop(source: string, channel: string, hop: HopRow['hop'], us: number): void {
    const name = `${source}/${channel}/${hop}`
    let found = this.#hops.get(name)
    if (found === undefined) this.#hops.set(name, (found = { source, channel, hop, samples: new Samples() }))
    found.samples.add(us)
  }
}

interface MeteredRow {
  readonly venue: string
  readonly instrument: string
  readonly trust: string
  readonly state: string
  readonly why: string
  readonly event: 'opened' | 'healed'
  readonly time: number
  readonly received: number
}
