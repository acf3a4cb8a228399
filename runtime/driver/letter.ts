import type { DeadLetter } from '../../graph/port.ts'

/** A letter as JSON, its bytes in base64. */
export const letterText = (letter: DeadLetter): string =>
  JSON.stringify({ ...letter, bytes: Buffer.from(letter.bytes).toString('base64') })

/** The reverse; undefined for what is no whole letter. */
export const letterIn = (text: string): DeadLetter | undefined => {
  try {
    const { bytes, symbol, ...rest } = JSON.parse(text) as Omit<DeadLetter, 'bytes'> & {
      readonly bytes: string
    }
    return { ...rest, symbol, bytes: new Uint8Array(Buffer.from(bytes, 'base64')) }
  } catch {
    return undefined
  }
}

/** What a letter is known by, however often it is delivered: the place of its frame. */
export const letterPlace = ({ source, channel, connection, epoch, frame, received }: DeadLetter): string =>
  `${source}.${channel}.${connection}.${epoch}.${frame}.${received}`

/** A letter with the name that its store gave it, by which it can be removed. */
export interface StoredLetter {
  readonly id: string
  readonly letter: DeadLetter
}

/** Where dead letters can be looked at and taken away, whoever writes there meanwhile. */
export interface LetterStore {
  /** Oldest first, as far as the store has an order; one that was delivered twice comes once. */
  readonly letters: () => AsyncIterable<StoredLetter>
  /** Take these away; how many were there. */
  readonly remove: (ids: ReadonlySet<string>) => Promise<number>
  readonly close: () => Promise<void>
}
