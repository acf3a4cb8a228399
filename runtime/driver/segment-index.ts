import { open } from 'node:fs/promises'
import { errnoOf, replaceFile, whenThere } from './disk.ts'
import { INDEX, Frames, chunkOf, kindAt, lengthAt, soundAt, tableAt } from './segment-frame.ts'
import { headOf, indexFile, readAt, segmentFile } from './segment-folder.ts'
import { Cursor, followPast } from './segment-cursor.ts'
import { Table } from './segment-table.ts'
import type { TableText } from './segment-name.ts'

const APART_BYTES = 1 << 20

type Mark = readonly [place: number, offset: number, position: number]

/** Where some offsets lie: of each place the first in a segment, and then one a megabyte at most. */
export class Marks {
  #marks: Mark[] = []
  #last = new Map<number, number>()

  /** `place`: undefined where its name is lost. */
  note(place: number | undefined, offset: number, position: number): void {
    if (place === undefined) return
    const last = this.#last.get(place)
    if (last !== undefined && position - last < APART_BYTES) return
    this.#last.set(place, position)
    this.#marks.push([place, offset, position])
  }

  /** What lies at `length` and beyond was never written. */
  cut(length: number): void {
    this.#marks = this.#marks.filter(([, , position]) => position < length)
    this.#last = new Map(this.#marks.map(([place, , position]) => [place, position]))
  }

  all(): readonly Mark[] {
    return this.#marks
  }
}

/**
 * What a sealed segment's `.index` says: its names, and marks. It can always be made again from the segment.
 */
export interface Index {
  readonly table: TableText
  readonly marks: readonly Mark[]
}

/** Not synced: an index that was torn is made again. */
export const writeIndex = (folder: string, segment: number, index: Index): Promise<void> => {
  const frames = new Frames(4096)
  frames.table(index, 0, INDEX)
  return replaceFile(indexFile(folder, segment), frames.bytes.subarray(0, frames.length), false)
}

/** The index of a sealed segment; made from the segment where it is missing or torn. */
export const indexOf = async (folder: string, segment: number): Promise<Index> =>
  (await readIndex(folder, segment)) ?? (await makeIndex(folder, segment))

const readIndex = async (folder: string, segment: number): Promise<Index | undefined> => {
  const handle = await whenThere(open(indexFile(folder, segment), 'r'))
  if (handle === undefined) return undefined
  try {
    const chunk = chunkOf(await readAt(handle, 0, (await handle.stat()).size), 0)
    return soundAt(chunk, 0, lengthAt(chunk, 0)) && kindAt(chunk, 0) === INDEX
      ? (tableAt(chunk, 0) as Index)
      : undefined
  } finally {
    await handle.close()
  }
}

const makeIndex = async (folder: string, segment: number): Promise<Index> => {
  const handle = await open(segmentFile(folder, segment), 'r')
  try {
    const { size } = await handle.stat()
    const table = new Table()
    const marks = new Marks()
    const cursor = new Cursor(handle, 0)
    await followPast(cursor, size, table, marks)
    // What was named in a damaged frame is named again where the next segment begins.
    const next = await headOf(folder, segment + 1)
    const index = { table: next?.text ?? table.text(), marks: marks.all() }
    await writeIndex(folder, segment, index).catch((error: unknown) => {
      // A reader may have no right or no space to write here, and does not need to.
      if (errnoOf(error) === undefined) throw error
    })
    return index
  } finally {
    await handle.close()
  }
}
