/** Bytes of a stream, a number of them at a time. */
class Source {
  readonly #chunks: AsyncIterator<Buffer>
  #held: Buffer = Buffer.alloc(0)

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** @returns fewer than asked only at the end of the stream */
  async take(count: number): Promise<Buffer> {
    const parts = [this.#held]
    let size = this.#held.length
    while (size < count) {
      const step = await this.#chunks.next()
      if (step.done === true) break
      parts.push(step.value)
      size += step.value.length
    }
    const all = parts.length === 1 ? this.#held : Buffer.concat(parts)
    this.#held = all.subarray(count)
    return all.subarray(0, count)
  }

  async exactly(count: number): Promise<Buffer> {
    const bytes = await this.take(count)
    if (bytes.length < count) throw new Error('the LZ4 frame ends too early')
    return bytes
  }
}

/** Matches reach back this far, into earlier blocks too. */
const reach = 65_536
const magic = 0x184d2204

const lengthAt = (block: Buffer, at: number, nibble: number): readonly [number, number] => {
  let length = nibble
  let next = at
  if (nibble < 15) return [length, next]
  for (;;) {
    const byte = block.readUInt8(next++)
    length += byte
    if (byte < 255) return [length, next]
  }
}

/** Decode one block behind what was decoded before it. @returns where the output ends */
const decodeBlock = (block: Buffer, out: Buffer, start: number): number => {
  let to = start
  let at = 0
  const room = (length: number) => {
    if (to + length > out.length) throw new Error('an LZ4 block is longer than its frame allows')
  }
  while (at < block.length) {
    const token = block.readUInt8(at)
    const [literals, from] = lengthAt(block, at + 1, token >> 4)
    room(literals)
    if (from + literals > block.length) throw new Error('an LZ4 block ends too early')
    to += block.copy(out, to, from, from + literals)
    at = from + literals
    if (at >= block.length) break
    const distance = block.readUInt16LE(at)
    if (distance === 0 || distance > to) throw new Error('an LZ4 block points before its beginning')
    const [extra, next] = lengthAt(block, at + 2, token & 15)
    const match = extra + 4
    room(match)
    at = next
    // A match may reach into itself, which repeats it; only a part that is already there can be copied at
    // once.
    for (let left = match; left > 0;) {
      const size = Math.min(left, distance)
      out.copyWithin(to, to - distance, to - distance + size)
      to += size
      left -= size
    }
  }
  return to
}

/**
 * Decode LZ4 frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md), which clickhouse-connect
 * sends unless told otherwise. Checksums are read over: lengths and distances are checked, and TCP checks the
 * bytes.
 */
export async function* decodeLz4(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = new Source(chunks)
  for (let head = await source.take(4); head.length > 0; head = await source.take(4)) {
    if (head.length < 4 || head.readUInt32LE(0) !== magic) throw new Error('this is not an LZ4 frame')
    yield* decodeFrame(source)
  }
}

async function* decodeFrame(source: Source): AsyncGenerator<Buffer> {
  const [flags = 0, sizes = 0] = await source.exactly(2)
  const blockMax = 2 ** (8 + 2 * ((sizes >> 4) & 7))
  if (flags >> 6 !== 1 || blockMax < reach || blockMax > 1 << 22)
    throw new Error('this LZ4 frame has a header of an unknown kind')
  await source.exactly((flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0) + 1)
  const out = Buffer.alloc(reach + blockMax)
  let kept = 0
  for (;;) {
    const word = (await source.exactly(4)).readUInt32LE(0)
    if (word === 0) break
    const block = await source.exactly(word & 0x7fffffff)
    const end = word >= 0x80000000 ? kept + block.copy(out, kept) : decodeBlock(block, out, kept)
    if (flags & 16) await source.exactly(4)
    yield Buffer.from(out.subarray(kept, end))
    kept = Math.min(end, reach)
    out.copyWithin(0, end - kept, end)
  }
  if (flags & 4) await source.exactly(4)
}
