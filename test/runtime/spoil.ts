import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brokerDown, brokerUp } from '../../bin/kafka.ts'
import type { Broker } from '../../bin/kafka.ts'

/** Where in a batch of records: in what says how they are packed, or in the last of them. */
export type Spot = 'head' | 'tail'

/**
 * Change a byte of some batches of a topic on a broker's disk, while the broker is down; the first batch of
 * records is 0, and below zero they count from the end. A broker looks at what it has after a kill, and not
 * after it was ended.
 */
export const spoil = async (
  { folder }: Pick<Broker, 'folder'>,
  topic: string,
  spots: readonly (readonly [number, Spot])[],
): Promise<void> => {
  await brokerDown(folder)
  const [file] = globSync(join(folder, `data/${topic}-0/*.log`))
  const bytes = readFileSync(file!)
  const batches: { readonly at: number; readonly length: number }[] = []
  for (let at = 0; at < bytes.length;) {
    const length = 12 + bytes.readInt32BE(at + 8)
    const isMarker = (bytes.readInt16BE(at + 21) & 0x20) !== 0
    if (!isMarker) batches.push({ at, length })
    at += length
  }
  for (const [number, spot] of spots) {
    const { at, length } = batches.at(number)!
    bytes[at + (spot === 'head' ? 65 : length - 30)]! ^= 0x5a
  }
  writeFileSync(file!, bytes)
  await brokerUp(folder)
}
