import { statfsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { refusal } from './chdb-engine.ts'
import type { Connection } from './chdb-engine.ts'

/** Of this process, since its start. */
const FAILED = `SELECT sum(value) FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'`
const EVERY_MS = 500
/** Less room than this, and nothing new is begun: what is under way needs it. */
const ROOM_BYTES = 32 << 20

/** Whether what the engine says it wrote is on the disk. */
export interface Writes {
  /** @throws ClickHouse error 243 when there is little room left. */
  readonly room: () => void
  /** @throws ClickHouse error 243 when any write of this process has failed: then nobody knows which. */
  readonly sound: () => Promise<void>
}

/**
 * Watch a fault of the engine (chDB 26.7): where a disk is full, it acknowledges an insert, replaces parts by
 * a merge of them, and writes the definition of a table, all with empty files. It counts what the system
 * refused, and so that is seen: `damaged` is called, once, and no statement that writes succeeds any more. An
 * engine that is started anew on the same files finds the damaged parts, leaves them aside, and takes those
 * again of which they were merged.
 * @param connection of its own
 */
export const watchWrites = (connection: Connection, folder: string, damaged: () => void): Writes => {
  let failed = false
  let last: Promise<unknown> = Promise.resolve()
  const look = async (): Promise<void> => {
    if (failed) return
    const { bytes } = await connection.whole(FAILED, 'TSV')
    if (failed || Number(Buffer.from(bytes).toString('utf8')) === 0) return
    failed = true
    damaged()
  }
  const sound = async (): Promise<void> => {
    const looked = last.then(look)
    last = looked.catch(() => undefined)
    await looked
    if (failed)
      throw full('a write was refused, and the engine does not know of which file: it is started anew')
  }
  // A merge that nobody asked for fails as silently.
  const poll = async (): Promise<void> => {
    while (!failed) {
      await sound().catch(() => undefined)
      await pause(EVERY_MS, undefined, { ref: false })
    }
  }
  void poll()
  const room = (): void => {
    const { bavail, bsize } = statfsSync(folder)
    if (bavail * bsize < ROOM_BYTES) throw full(`${Math.floor((bavail * bsize) / 1e6)} MB are free`)
  }
  return { room, sound }
}

const full = (why: string): Error => refusal(243, 'NOT_ENOUGH_SPACE', `the disk is full: ${why}`)
