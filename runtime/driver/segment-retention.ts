import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReadFrom } from '../../graph/port.ts'
import { partitionKey } from '../log.ts'
import type { Dropped, Limits } from '../log.ts'
import { replaceFile, whenThere } from './disk.ts'
import { headOf, indexFile, segmentFile, segmentsOf, sizeOf, textOf } from './segment-folder.ts'

/** How far a reader has got. Undefined positions: its file cannot be read, and it holds everything. */
interface Hold {
  readonly reader: string
  readonly positions: readonly ReadFrom[] | undefined
}

const holdsFolder = (folder: string): string => join(folder, 'holds')

/** Readers live in other processes, so that what they register is a file each. */
export const putHold = async (
  folder: string,
  reader: string,
  positions: readonly ReadFrom[] | undefined,
): Promise<void> => {
  const file = join(holdsFolder(folder), `${encodeURIComponent(reader)}.json`)
  if (positions === undefined) return rm(file, { force: true })
  await mkdir(holdsFolder(folder), { recursive: true })
  await replaceFile(file, JSON.stringify(positions), true)
}

const holdsOf = async (folder: string): Promise<readonly Hold[]> => {
  const names = (await whenThere(readdir(holdsFolder(folder)))) ?? []
  return Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => ({
        reader: decodeURIComponent(name.slice(0, -'.json'.length)),
        positions: positionsOf(await textOf(join(holdsFolder(folder), name))),
      })),
  )
}

const positionsOf = (text: string | undefined): readonly ReadFrom[] | undefined => {
  if (text === undefined) return []
  try {
    return JSON.parse(text) as readonly ReadFrom[]
  } catch {
    return undefined
  }
}

/**
 * Remove finished segments, oldest first, while the log is longer or older than its limits and nobody needs
 * them.
 */
export const dropSegments = async (
  folder: string,
  active: number,
  limits: Limits,
  now: number,
): Promise<Dropped> => {
  const segments = await segmentsOf(folder)
  const sizes = await Promise.all(segments.map((segment) => sizeOf(segmentFile(folder, segment))))
  const holds = limits.pastReaders === true ? [] : await holdsOf(folder)
  let kept = sizes.reduce((sum, size) => sum + size, 0)
  let bytes = 0
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1]
    if (segment >= active || next === undefined) break
    const written = (await whenThere(stat(segmentFile(folder, segment))))?.mtimeMs ?? 0
    if (kept <= limits.bytes && now - written <= limits.ageMs) break
    const heldBy = await holderOf(folder, segments.slice(i + 1), holds)
    if (heldBy !== undefined) return { bytes, heldBy }
    await rm(indexFile(folder, segment), { force: true })
    await rm(segmentFile(folder, segment), { force: true })
    kept -= sizes[i]!
    bytes += sizes[i]!
  }
  return { bytes, heldBy: undefined }
}

/** Who has not read all that lies before the first of these segments, or of which nobody can say it. */
const holderOf = async (
  folder: string,
  kept: readonly number[],
  holds: readonly Hold[],
): Promise<string | undefined> => {
  if (holds.length === 0) return undefined
  let head: Awaited<ReturnType<typeof headOf>>
  // Where a head is damaged the next one says of more that it has been read.
  for (const segment of kept) if ((head = await headOf(folder, segment)) !== undefined) break
  const begins = new Map(
    head?.text.places.map(([, topic, partition, offset]) => [partitionKey(topic, partition), offset]),
  )
  const needs = ({ topic, partition, offset }: ReadFrom): boolean =>
    offset < (begins.get(partitionKey(topic, partition)) ?? 0)
  return holds.find(({ positions }) => head === undefined || positions === undefined || positions.some(needs))
    ?.reader
}
