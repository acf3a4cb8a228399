import { relative } from 'node:path'
import { snake } from '../graph/schema.ts'
import type { ShardStatus } from '../runtime/meter.ts'
import type { LaunchOptions } from './asked.ts'
import { lakeName } from './lake-store.ts'
import { absentText } from './replay.ts'
import type { Absent } from './replay.ts'
import { command, paint, print, printJson, say } from './outcome.ts'

interface SinkStatus {
  readonly lag: number
  /** Records that no row could be made of: they are dead letters. */
  readonly unreadable: number
  readonly sinks: readonly {
    readonly sink: string
    readonly rows: number
    readonly lag: number
    readonly state?: string
    readonly error?: string
  }[]
}

interface ConnectionLine {
  readonly source: string
  readonly state: string
  readonly symbols: number
}

type Live = ShardStatus & {
  readonly connections: readonly ConnectionLine[]
  readonly time: number
  /** What was said last of dead letters that were not taken. */
  readonly refused?: string
}

const ms = (micros: number): string => `${(micros / 1000).toFixed(1)} ms`
const gapsText = ({ gaps }: ShardStatus): string => `gaps opened ${gaps.opened}, healed ${gaps.healed}`

const basisText = ({ basis: { live, withheld } }: ShardStatus): string => {
  const whys = Object.entries(withheld).map(([why, count]) => `${why} ${count}`)
  const rest = whys.length === 0 ? '' : `, withheld ${whys.join(', ')}`
  return `basis: live ${live}${rest}`
}

const LINE_EVERY_MS = 10_000

/**
 * What a run shows: in a terminal a picture that is drawn again each second, elsewhere a line every ten
 * seconds.
 */
export class Board {
  readonly #options: LaunchOptions
  readonly #status = new Map<string, unknown>()
  readonly #terminal = process.stderr.isTTY === true
  readonly #started = performance.now()
  #before: Live | undefined
  #beforeAt = performance.now()
  #drawn = 0
  /** What runs where has been said, so that nothing is drawn over it. */
  #begun = false
  #lined = performance.now()
  #notes: string[] = []
  #absent: readonly Absent[] = []
  #refused: string | undefined

  constructor(options: LaunchOptions) {
    this.#options = options
  }

  /** What runs where, and what to type next. */
  started(
    parts: readonly (readonly [string, number | undefined])[],
    clickhouse: string,
    chdbPid: number | undefined,
    metrics: string | undefined,
  ): void {
    const { plan, source, folders, quiet } = this.#options
    this.#begun = true
    if (quiet) return
    const folder = relative(process.cwd(), folders.root) || '.'
    say(`${paint('bold', `graph ${plan.name}`)} on ${source.text}; everything is kept in ${folder}/`)
    for (const [name, pid] of parts) if (pid !== undefined) say(`  ${name.padEnd(16)} process ${pid}`)
    const embedded = chdbPid === undefined ? '' : `, embedded, process ${chdbPid}`
    say(`  ${'clickhouse'.padEnd(16)} ${clickhouse}${embedded}`)
    if (metrics !== undefined) say(`  ${'metrics'.padEnd(16)} ${metrics}`)
    say(`  ${'lake'.padEnd(16)} ${lakeName(folders.lake)}`)
    if (source.kind !== 'replay') say(`next, in another terminal:\n${this.#next(true)}`)
    say('')
  }

  /** What to type now. Views of spreads are about what is live, so they are no use once a run has ended. */
  #next(live: boolean): string {
    const { topics, sinks } = this.#options.plan
    const own = topics.filter(({ name }) => !name.startsWith('kt.'))
    const made = (name: string): boolean => own.some(({ schema }) => schema.name === name)
    const tableOf = (engine: string): string | undefined => {
      const found = sinks.find(({ sink, topic }) => sink.engine === engine && own.includes(topic))
      return found === undefined ? undefined : snake(found.sink.schema.name)
    }
    const asked = live && made('basis') ? 'basis_latest order by abs(bps) desc' : tableOf('clickhouse')
    const stored = made('funding') ? 'funding_carry order by carry_apr desc' : tableOf('lake')
    const tailed = own.find(({ name }) => name === 'quote') ?? own[0]
    return [
      ...(asked === undefined ? [] : [`sql "select * from ${asked} limit 10"`]),
      ...(stored === undefined ? [] : [`sql --on lake "select * from ${stored} limit 10"`]),
      ...(tailed === undefined ? [] : [`topic tail ${tailed.name}${live ? ' -f' : ''}`]),
      ...(!live && made('basis') && made('funding') ? ['notebook run notebooks/funding-carry.ipynb'] : []),
      'verify',
    ]
      .map((line) => `  ${command()} ${line}`)
      .join('\n')
  }

  /** What a recording has not. */
  lacks(absent: readonly Absent[]): void {
    this.#absent = absent
    if (!this.#options.quiet) for (const one of absent) this.note(absentText(one))
  }

  note(text: string): void {
    this.#notes.push(text)
    if (!this.#terminal || this.#drawn === 0) say(`! ${text}`)
  }

  status(part: string, status: unknown): void {
    this.#status.set(part, status)
    if (part !== 'shard') return
    const { refused } = status as Live
    if (refused !== undefined && refused !== this.#refused) this.note(refused)
    this.#refused = refused
    if (this.#options.quiet || !this.#begun) return
    const now = performance.now()
    if (this.#terminal) this.#draw(now)
    else if (now - this.#lined >= LINE_EVERY_MS) {
      this.#lined = now
      say(this.#lines(now).join(' · '))
    }
  }

  /** The sum of a run. */
  ended(whole: boolean): void {
    const shard = this.#status.get('shard') as Live | undefined
    const document = {
      ok: whole,
      seconds: Math.round((performance.now() - this.#started) / 100) / 10,
      shard,
      absent: this.#absent,
      sinks: { clickhouse: this.#sink('sink-clickhouse'), lake: this.#sink('sink-lake') },
    }
    if (this.#options.json) return printJson(document)
    if (this.#options.quiet || shard === undefined) return
    const rows = Object.entries(shard.rows)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')
    print(`${shard.frames} messages; rows: ${rows}; ${gapsText(shard)}; dead letters ${shard.deadLetters}`)
    if (shard.rows['basis'] !== undefined) print(basisText(shard))
    for (const line of this.#empty(shard)) print(line)
    for (const name of ['sink-clickhouse', 'sink-lake'] as const) print(`${name}: ${this.#sinkText(name)}`)
    if (whole) say(`next:\n${this.#next(false)}`)
  }

  /** Outputs without a row, and what the recording lacks of what they are made of. */
  #empty({ frames, rows }: ShardStatus): readonly string[] {
    const { again, folders, source } = this.#options
    if (again && frames === 0 && source.kind === 'replay') {
      const folder = relative(process.cwd(), folders.root) || '.'
      return [`nothing is new: this recording was read before, into ${folder}; --data DIR reads it anew`]
    }
    if (again) return []
    return this.#options.plan.topics.flatMap(({ name, schema }) => {
      const because = this.#absent.filter(({ below }) => below.includes(name)).map(({ node }) => node)
      if (because.length === 0 || rows[schema.name] !== undefined) return []
      return [`${name}: no rows; the recording lacks ${because.join(', ')}`]
    })
  }

  close(): void {
    if (this.#terminal && this.#drawn > 0) say('')
  }

  #draw(now: number): void {
    const lines = [...this.#lines(now), ...this.#notes.slice(-3).map((note) => paint('yellow', `! ${note}`))]
    if (this.#drawn > 0) process.stderr.write(`\u001b[${this.#drawn}A\u001b[J`)
    for (const line of lines) process.stderr.write(`${line.slice(0, (process.stderr.columns ?? 120) - 1)}\n`)
    this.#drawn = lines.length
  }

  #lines(now: number): readonly string[] {
    const live = this.#status.get('shard') as Live
    const seconds = Math.max(0.001, (now - this.#beforeAt) / 1000)
    const before = this.#before
    const rate = (is: number, was: number | undefined): string =>
      String(Math.round(Math.max(0, is - (was ?? 0)) / seconds))
    const order = this.#options.plan.topics.map(({ schema }) => schema.name)
    const rows = Object.entries(live.rows)
      .filter(([name]) => !['control', 'latency', 'instrument'].includes(name))
      .toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    const lines = [
      `${new Date(live.time / 1000).toISOString().slice(11, 19)}  ${rate(live.frames, before?.frames)} msg/s`,
      `rows/s ${rows.map(([name, count]) => `${name} ${rate(count, before?.rows[name])}`).join(' ') || '-'}`,
      `books ${
        Object.entries(live.trust)
          .map(([trust, count]) => `${count} ${trust}`)
          .join(' ') || '-'
      }`,
      `venue lag ${ms(live.venueP50Us)}, to log p50 ${ms(live.durableP50Us)} p99 ${ms(live.durableP99Us)}`,
      `${gapsText(live)}, dead letters ${live.deadLetters}, dropped ${live.dropped}`,
      `clickhouse ${this.#sinkText('sink-clickhouse')}`,
      `lake ${this.#sinkText('sink-lake')}`,
    ]
    this.#before = live
    this.#beforeAt = now
    return lines
  }

  #sink(name: string): SinkStatus | undefined {
    return this.#status.get(name) as SinkStatus | undefined
  }

  #sinkText(name: string): string {
    const sink = this.#sink(name)
    if (sink === undefined) return 'starting'
    const error = sink.sinks.find((one) => one.error !== undefined)?.error
    const rows = sink.sinks.reduce((sum, one) => sum + one.rows, 0)
    const unreadable = sink.unreadable === 0 ? '' : `, ${sink.unreadable} unreadable`
    const waiting = error === undefined ? '' : `, waiting: ${error}`
    return `${rows} rows, ${sink.lag} batches behind${unreadable}${waiting}`
  }
}
