import { open, readFile, readdir, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { HostError } from '../../graph/error.ts'
import { errnoOf, whenThere } from './disk.ts'
import { HEAD_BYTES, TABLE, chunkOf, kindAt, lengthAt, soundAt, tableAt } from './segment-frame.ts'
import type { TableText } from './segment-name.ts'

const SEGMENT = /^(\d{12})\.segment$/

export const segmentFile = (folder: string, segment: number): string =>
  join(folder, `${String(segment).padStart(12, '0')}.segment`)
export const indexFile = (folder: string, segment: number): string =>
  join(folder, `${String(segment).padStart(12, '0')}.index`)

/** The numbers of the segments that are there, in order. */
export const segmentsOf = async (folder: string): Promise<readonly number[]> =>
  (await readdir(folder))
    .flatMap((name) => SEGMENT.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)

/** KT3003: what lies there is not what was written, and nobody can say how the log goes on. */
export const damaged = (file: string, at: number, why: string): HostError =>
  new HostError('KT3003', `a frame of the log is damaged at byte ${at}`, {
    where: file,
    why,
    fix: 'The disk gave back other bytes than it was given: restore the file, or begin with another --data.',
    facts: { file, at },
    retry: 'never',
  })

/** KT3005: the disk would not take it; nothing of it is visible. */
export const refusedByDisk = (folder: string, error: unknown): HostError => {
  const code = errnoOf(error) ?? 'unknown'
  const full = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG'
  return new HostError('KT3005', `the disk of the log refused a write (${code})`, {
    where: folder,
    why: full ? 'There is no space left for it.' : 'The disk or its file system reports an error.',
    fix: full
      ? 'Make space or keep less of the log; the log goes on by itself.'
      : 'Look at the kernel log (dmesg) and at the disk.',
    facts: { errno: code },
    retry: { afterMs: full ? 1000 : 250 },
    cause: error,
  })
}

/** Bytes of their own, so that batches in them are aligned; what was there before is left in them. */
export const alignedBytes = (length: number): Uint8Array =>
  new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)

/** Fill `bytes` from `at` on with what lies at `position`; returns how far they are filled. */
export const readInto = async (
  handle: FileHandle,
  bytes: Uint8Array,
  at: number,
  position: number,
): Promise<number> => {
  for (let got = at; got < bytes.length;) {
    const { bytesRead } = await handle.read(bytes, got, bytes.length - got, position + got - at)
    if (bytesRead === 0) return got
    got += bytesRead
  }
  return bytes.length
}

/** Read `length` bytes at `position`, or as many as there are. */
export const readAt = async (handle: FileHandle, position: number, length: number): Promise<Uint8Array> => {
  const bytes = alignedBytes(length)
  return bytes.subarray(0, await readInto(handle, bytes, 0, position))
}

/**
 * The table that a segment begins with, and where it ends; undefined when it is damaged or the file is not
 * there.
 */
export const headOf = async (
  folder: string,
  segment: number,
): Promise<{ readonly text: TableText; readonly end: number } | undefined> => {
  const handle = await whenThere(open(segmentFile(folder, segment), 'r'))
  if (handle === undefined) return undefined
  try {
    const start = chunkOf(await readAt(handle, 0, HEAD_BYTES), 0)
    const length = lengthAt(start, 0)
    if (length > (await handle.stat()).size) return undefined
    const chunk = chunkOf(await readAt(handle, 0, length), 0)
    if (!soundAt(chunk, 0, length) || kindAt(chunk, 0) !== TABLE) return undefined
    return { text: tableAt(chunk, 0) as TableText, end: length }
  } finally {
    await handle.close()
  }
}

export const sizeOf = async (file: string): Promise<number> => (await whenThere(stat(file)))?.size ?? 0

export const textOf = (file: string): Promise<string | undefined> => whenThere(readFile(file, 'utf8'))
