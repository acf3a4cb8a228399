import { rowsOf } from '../../graph/batch.ts'
import type { Batch } from '../../graph/batch.ts'
import { HostError } from '../../graph/error.ts'
import type { Clock, ObjectStore } from '../../graph/port.ts'
import { DESCRIBE, HIGH, IDENTITY, PLACES, PRESENT, RUNNING } from '../../sinks/clickhouse/tables.ts'
import { batchOf } from '../../sinks/arrow.ts'
import type { Label, Row, Tables } from '../../sinks/clickhouse/tables.ts'

export type Dice = () => number

export class MemoryObjects implements ObjectStore {
  readonly objects = new Map<string, Uint8Array>()
  readonly get = async (path: string) => this.objects.get(path)
  readonly put = async (path: string, bytes: Uint8Array) => void this.objects.set(path, bytes)
  readonly putIfAbsent = async (path: string, bytes: Uint8Array) => {
    if (this.objects.has(path)) return false
    this.objects.set(path, bytes)
    return true
  }
  readonly list = async (prefix: string) =>
    [...this.objects.keys()].filter((path) => path.startsWith(prefix)).sort()
  readonly remove = async (path: string) => void this.objects.delete(path)
}

interface Running {
  readonly comment: string
  killed: boolean
}

/**
 * One table of a ClickHouse that behaves as the real one was seen to: an insert is one part for each day, a
 * token is
 * remembered for each day before the part is in place, and everything between may fail.
 */
export class FakeClickhouse {
  rows: Row[] = []
  calm = false
  /** Nobody answers. */
  away = false
  inserts = 0
  /** Calls that came, or were tried. */
  asked = 0
  swallowed = 0
  burned = 0
  readonly #clock: Clock
  readonly #dice: Dice
  readonly #columns: readonly Row[]
  readonly #tokens = new Set<string>()
  readonly #running = new Set<Running>()
  #up = true
  #age = 0

  constructor(clock: Clock, random: Dice, columns: readonly Row[]) {
    this.#clock = clock
    this.#dice = random
    this.#columns = columns
  }

  readonly tables: Tables = {
    exec: async (sql) => {
      await this.#arrive()
      const comment = /^KILL QUERY .*'([^']*)'\) ASYNC$/.exec(sql)?.[1]
      for (const one of this.#running)
        if (comment !== undefined && one.comment.startsWith(comment)) one.killed = true
    },
    query: async (sql, parameters) => {
      await this.#arrive()
      return this.#answer(sql, parameters)
    },
    insert: (_, rows, label) => this.#insert(batchOf(rows), label),
  }

  /** The process dies: what runs ends, what is in place stays. */
  crash(): void {
    this.#up = false
    this.#age++
    this.#running.clear()
    this.#clock.after(100 + 2000 * this.#dice(), () => void (this.#up = true))
  }

  #chance(of: number): boolean {
    return !this.calm && this.#dice() < of
  }

  readonly #sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => void this.#clock.after(ms, resolve))

  async #arrive(): Promise<void> {
    this.asked++
    await this.#sleep(1 + 3 * this.#dice())
    if (this.away || !this.#up || this.#chance(0.02)) throw lost()
  }

  #answer(
    sql: string,
    { part, first, last, offset, comment }: Readonly<Record<string, string | number>>,
  ): readonly Row[] {
    const of = (test: (off: number) => boolean): Row[] =>
      this.rows.filter((row) => row['_part'] === part && test(row['_off'] as number))
    switch (sql) {
      case IDENTITY:
        return [{ uuid: '1', engine: 'MergeTree' }]
      case DESCRIBE:
        return this.#columns
      case HIGH:
        return grouped(this.rows, '_part').map(([_part, rows]) => ({
          _part,
          high: Math.max(...rows.map((row) => row['_off'] as number)),
        }))
      case PRESENT:
        return grouped(
          of((off) => off >= Number(first) && off <= Number(last)),
          '_off',
        ).map(([_off, rows]) => ({
          _off,
          rows: rows.length,
          places: new Set(rows.map((row) => row['_row'])).size,
          low_step: rows[0]!['_step'],
          high_step: rows[0]!['_step'],
          low_epoch: rows[0]!['_epoch'],
          high_epoch: rows[0]!['_epoch'],
        }))
      case PLACES:
        return of((off) => off === offset)
      case RUNNING:
        return [
          { running: [...this.#running].filter((one) => one.comment.startsWith(String(comment))).length },
        ]
      default:
        throw new Error(`the fake does not know ${sql}`)
    }
  }

  async #insert(batch: Batch, label: Label): Promise<void> {
    if (this.away || this.#chance(0.05)) throw lost()
    const applied = this.#travel(batch, label)
    applied.catch(() => {})
    // The client gives up, and what it sent goes its own way.
    if (this.#chance(0.08))
      return Promise.race([applied, this.#sleep(20 * this.#dice()).then(() => Promise.reject(lost()))])
    await applied
    if (this.#chance(0.05)) throw lost()
  }

  async #travel(batch: Batch, label: Label): Promise<void> {
    await this.#sleep(this.#chance(0.05) ? 5000 * this.#dice() : 5 * this.#dice())
    if (!this.#up) throw lost()
    const age = this.#age
    const running = { comment: label.comment, killed: false }
    this.#running.add(running)
    await this.#sleep(this.#chance(0.05) ? 8000 * this.#dice() : 20 * this.#dice())
    if (age !== this.#age) throw lost()
    if (!running.killed) await this.#apply(batch, label)
    this.#running.delete(running)
    if (running.killed || age !== this.#age) throw lost()
  }

  async #apply(batch: Batch, label: Label): Promise<void> {
    const age = this.#age
    this.inserts++
    for (const [day, rows] of grouped(rowsOf(batch), (row) =>
      Math.floor((row['received'] as number) / 86_400_000_000),
    )) {
      const token = `${label.token} ${day}`
      if (this.#tokens.has(token)) {
        this.swallowed++
        continue
      }
      this.#tokens.add(token)
      if (this.#chance(0.02)) this.crash()
      if (this.#chance(0.1)) await this.#sleep(3000 * this.#dice())
      if (age !== this.#age) {
        this.burned++
        return
      }
      this.rows.push(...rows)
    }
  }
}

const lost = (): HostError => new HostError('KT6101', 'the connection is lost', { retry: { afterMs: 200 } })

const grouped = (
  rows: readonly Row[],
  by: string | ((row: Row) => unknown),
): readonly (readonly [unknown, readonly Row[]])[] => {
  const groups = new Map<unknown, Row[]>()
  for (const row of rows) {
    const value = typeof by === 'string' ? row[by] : by(row)
    const group = groups.get(value) ?? []
    groups.set(value, group)
    group.push(row)
  }
  return [...groups]
}
