import { assert } from '../../graph/error.ts'
import type { LogReader, ReadFrom } from '../../graph/port.ts'
import type { Cut, Gatherer } from './cut.ts'

/** One partition that is read by itself, no further than its next cut. */
export class Lane {
  readonly partition: number
  /** The next offset to read. */
  next: number
  readonly #reader: LogReader
  readonly #gatherer: Gatherer
  readonly #cuts: Cut[] = []

  constructor(from: ReadFrom, reader: LogReader, gatherer: Gatherer) {
    this.partition = from.partition
    this.next = from.offset
    this.#reader = reader
    this.#gatherer = gatherer
  }

  /** Its next cut, once it is known. */
  get cut(): Cut | undefined {
    return this.#cuts[0]
  }

  /** Nothing was read that is not cut yet. */
  get empty(): boolean {
    return this.#gatherer.empty
  }

  async read(bytesMax: number, waitMs: number): Promise<void> {
    for (const record of await this.#reader.read(bytesMax, waitMs)) {
      this.#cuts.push(...this.#gatherer.add(record))
      this.next = record.offset + 1
    }
  }

  /** Nothing more comes: what was read is the last cut. */
  end(): void {
    this.#cuts.push(...this.#gatherer.take())
  }

  take(): Cut {
    const cut = this.#cuts.shift()
    assert(cut !== undefined, 'a cut is taken when there is one')
    return cut
  }

  close(): Promise<void> {
    return this.#reader.close()
  }
}
