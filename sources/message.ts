import { VenueError } from '../graph/error.ts'
import type { Code } from '../graph/error.ts'

/** Messages beyond this are no messages. */
const BYTES_MAX = 8 << 20

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Decode a message. */
export const parseMessage = (bytes: Uint8Array, bytesMax = BYTES_MAX): unknown => {
  if (bytes.length > bytesMax) {
    throw breach('KT2101', `a message of ${bytes.length} bytes is larger than any should be`)
  }
  let text = ''
  try {
    text = utf8.decode(bytes)
  } catch (cause) {
    throw breach('KT2101', 'a message is not UTF-8', cause)
  }
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw breach('KT2101', `a message of ${bytes.length} bytes is not JSON`, cause)
  }
}

/** The venue's contract is broken. */
export const breach = (code: Code, message: string, cause?: unknown): VenueError =>
  new VenueError(code, message, {
    fix: 'Look at it in the dead letters; if the venue changed its format, mend the mapping and replay.',
    ...(cause === undefined ? {} : { cause }),
  })
