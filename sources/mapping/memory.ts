/** Memory that messages are read in, four bytes at a time. */
export interface Memory {
  readonly bytes: Uint8Array
  readonly view: DataView
}

export const viewed = (buffer: ArrayBufferLike): Memory => ({
  bytes: new Uint8Array(buffer),
  view: new DataView(buffer),
})

/** Where the last message lay: a socket reads all of its messages into one place, given as one array. */
let held = viewed(new ArrayBuffer(0))
let given: Uint8Array | undefined
/** Places of other sockets, and those that only one message came from so far; the oldest give way. */
const memories: Memory[] = []
const met: ArrayBufferLike[] = []
const MEMORIES_MAX = 32
/** What may be read behind a message. */
const BEHIND = 8
let oldest = 0
let oldestMet = 0

/**
 * The whole memory of a message that ends at `to` of its bytes, if messages came from it before, and it has
 * room for what is read behind them; else it is not worth a view, and undefined.
 */
export const memoryOf = (bytes: Uint8Array, to: number): Memory | undefined => {
  const end = bytes.byteOffset + to + BEHIND
  if (bytes === given && end <= held.bytes.length) return held
  const { buffer } = bytes
  if (end > buffer.byteLength) return undefined
  given = bytes
  if (held.bytes.buffer === buffer) return held
  for (let at = 0; at < memories.length; at++)
    if (memories[at]!.bytes.buffer === buffer) return (held = memories[at]!)
  if (!met.includes(buffer)) {
    given = undefined
    met[oldestMet++ % MEMORIES_MAX] = buffer
    return undefined
  }
  held = viewed(buffer)
  memories[oldest++ % MEMORIES_MAX] = held
  return held
}
