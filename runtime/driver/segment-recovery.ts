import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { syncFolder } from './disk.ts'
import { damaged, segmentFile, segmentsOf } from './segment-folder.ts'
import { Cursor, follow, followPast } from './segment-cursor.ts'
import { durableAt } from './segment-frame.ts'
import type { Durable } from './segment-durable.ts'
import { Marks } from './segment-index.ts'
import { Table } from './segment-table.ts'

/** The segment that is being written, and what the log knows at its end. */
export interface Tail {
  readonly table: Table
  readonly marks: Marks
  /** Undefined: the log has no segment yet. */
  readonly handle: FileHandle | undefined
  /** The next segment has to begin, whose head says again what lay in damaged frames of this one. */
  readonly ended: boolean
}

/**
 * Find the end of the log after a stop of any kind, and publish it. What was cut off in the middle of a write
 * was never acknowledged: it goes. Damage before that is another matter: the steps in it were acknowledged,
 * so their offsets must not be given away again. They are known where a frame behind it says them, or the
 * damaged one can be believed; else nobody may write (KT3003).
 */
export const recover = async (folder: string, durable: Durable): Promise<Tail> => {
  durable.refresh()
  const segments = await segmentsOf(folder)
  if (durable.segment > (segments.at(-1) ?? 0)) {
    throw damaged(
      segmentFile(folder, durable.segment),
      0,
      'The file is gone, and steps in it were acknowledged.',
    )
  }
  for (const segment of segments.toReversed()) {
    const tail = await tailOf(folder, segment, durable)
    if (tail !== undefined) return tail
    await rm(segmentFile(folder, segment))
  }
  durable.publish(0, 0)
  await syncFolder(folder)
  return { table: new Table(), marks: new Marks(), handle: undefined, ended: false }
}

/** Undefined: the segment was cut off before anything in it was acknowledged. */
const tailOf = async (folder: string, segment: number, durable: Durable): Promise<Tail | undefined> => {
  const file = segmentFile(folder, segment)
  const handle = await open(file, 'r+')
  try {
    const { size } = await handle.stat()
    const table = new Table()
    const marks = new Marks()
    const cursor = new Cursor(handle, 0)
    const broken = await follow(cursor, size, table, marks)
    const published = durable.segment === segment ? durable.length : 0
    const acknowledged = Math.max(published, await acknowledgedTo(handle, broken, size))
    const ended = broken < acknowledged
    if (ended) {
      await followPast(cursor, Math.min(acknowledged, size), table, marks)
      const why = size < acknowledged ? 'The end of the file is gone.' : table.doubt.why()
      const known = `It was acknowledged: the segment was durable up to byte ${acknowledged} at least.`
      if (why !== undefined) throw damaged(file, broken, `${known} ${why}`)
    }
    const end = await follow(cursor, size, table, marks)
    if (end === 0) return await abandon(handle)
    if (end < size) await handle.truncate(end)
    await handle.sync()
    await syncFolder(folder)
    table.arrived()
    durable.publish(segment, end)
    return { table, marks, handle, ended }
  } catch (error) {
    await handle.close()
    throw error
  }
}

const abandon = async (handle: FileHandle): Promise<undefined> => {
  await handle.close()
  return undefined
}

/** How far the segment was durable when the sound frames behind `from` were written. */
const acknowledgedTo = async (handle: FileHandle, from: number, size: number): Promise<number> => {
  const cursor = new Cursor(handle, from)
  let to = 0
  while (cursor.position < size) {
    await cursor.skip(size)
    for (let at = cursor.next(); at >= 0; at = cursor.next()) to = Math.max(to, durableAt(cursor.chunk, at))
  }
  return to
}
