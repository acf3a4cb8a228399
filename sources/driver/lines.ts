import { createReadStream } from 'node:fs'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import type { Readable } from 'node:stream'

/** The lines of a file, unpacked as its name says (`.gz`, `.zst`), in batches of a chunk each. */
export async function* linesOf(path: string): AsyncGenerator<readonly Buffer[]> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of unpacked(path)) {
    const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
    const lines: Buffer[] = []
    let from = 0
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      if (at > from) lines.push(bytes.subarray(from, at))
      from = at + 1
    }
    rest = bytes.subarray(from)
    if (lines.length > 0) yield lines
  }
  if (rest.length > 0) yield [rest]
}

const unpacked = (path: string): Readable => {
  const file = createReadStream(path, { highWaterMark: 1 << 18 })
  const through = path.endsWith('.gz')
    ? createGunzip({ chunkSize: 1 << 20 })
    : path.endsWith('.zst')
      ? createZstdDecompress({ chunkSize: 1 << 20 })
      : undefined
  if (through === undefined) return file
  file.on('error', (error) => through.destroy(error))
  return file.pipe(through)
}
