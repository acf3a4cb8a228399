import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { syncFolder } from './disk.ts'
import { damaged, segmentFile, segmentsOf } from './segment-folder.ts'
import { Cursor, follow } from './segment-cursor.ts'
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
}

/**
 * Find the end of the log after a stop of any kind, and publish it. What was cut off in the middle of a write
 * was never acknowledged: it goes. Damage before that is another matter (KT3003): the steps in it were
 * acknowledged, so their offsets must not be given away again.
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
  return { table: new Table(), marks: new Marks(), handle: undefined }
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
    const end = await follow(cursor, size, table, marks)
    const published = durable.segment === segment ? durable.length : 0
    if (end < published || (await acknowledged(cursor, size, end))) {
      throw damaged(
        file,
        end,
        `It was acknowledged: the segment was durable up to byte ${Math.max(published, end + 1)} at least.`,
      )
    }
    if (end === 0) return await abandon(handle)
    if (end < size) await handle.truncate(end)
    await handle.sync()
    await syncFolder(folder)
    table.arrived()
    durable.publish(segment, end)
    return { table, marks, handle }
  } catch (error) {
    await handle.close()
    throw error
  }
}

const abandon = async (handle: FileHandle): Promise<undefined> => {
  await handle.close()
  return undefined
}

/** A sound frame behind `end` says that the log was durable beyond `end` when it was written. */
const acknowledged = async (cursor: Cursor, size: number, end: number): Promise<boolean> => {
  while (cursor.position < size) {
    await cursor.skip(size)
    for (let at = cursor.next(); at >= 0; at = cursor.next())
      if (durableAt(cursor.chunk, at) > end) return true
  }
  return false
}
