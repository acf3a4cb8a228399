import type { EmitRow, Frame } from '../graph/source.ts'
import type { MessageAbout, Reader } from './reader.ts'

/** A topic as messages come in of it: one channel of one symbol on one line of a connection. */
export interface Inlet {
  readonly channel: string
  /** Undefined: its messages are for all symbols. */
  readonly symbol: string | undefined
  readonly line: InletLine
  /** What its messages are read with; `received` is that of the message at hand. */
  readonly about: MessageAbout & { received: number }
  readonly reader: Reader
  /** Its rows are changes of a book. */
  readonly tracked: boolean
  /** What is known of that book. */
  readonly run: Run
}

/** What is known of a book is found by its channel and symbol. */
export const keyOf = (channel: string, symbol: string | undefined): string => `${channel} ${symbol ?? ''}`

/** Messages of a line are numbered together. */
export interface InletLine {
  readonly connection: number
  readonly epoch: number
  frames: number
}

/** What the rows of one book have covered without a hole, and whether it was begun. */
export interface Run {
  first: number
  last: number
  seeded: boolean
  /** When it was, over REST; 0: never. */
  seededAt: number
  /** Messages so far, to tell which books are busy. */
  frames: number
}

/** The frame at hand: there is one for all messages of a source. */
export class Letter implements Omit<Frame<never>, 'carries'> {
  readonly source: string
  channel = ''
  connection = 0
  epoch = 0
  frame = 0
  received = 0
  symbol: string | undefined = undefined
  /** The message is a range of what was read. */
  buffer: Uint8Array = new Uint8Array()
  from = 0
  to = 0
  /** How it is read: made once, as there is one letter for all messages. */
  readonly read: (emit: EmitRow) => void

  constructor(source: string, read: (emit: EmitRow) => void) {
    this.source = source
    this.read = read
  }

  /** Made only for those who keep messages: tapes and dead letters. */
  get bytes(): Uint8Array {
    return this.buffer.subarray(this.from, this.to)
  }
}
