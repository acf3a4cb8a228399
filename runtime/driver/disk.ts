import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The name of what the system refused with (`ENOSPC`); undefined: the error is not the system's. */
export const errnoOf = (error: unknown): string | undefined => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined
}

/** Undefined when there is no such file. */
export const whenThere = async <T>(found: Promise<T>): Promise<T | undefined> => {
  try {
    return await found
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** A name in a folder is durable when the folder is. */
export const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Replace a small file: a reader sees the old or the new one. */
export const replaceFile = async (
  file: string,
  bytes: string | Uint8Array,
  durable: boolean,
): Promise<void> => {
  const fresh = `${file}.${randomUUID()}.tmp`
  try {
    const handle = await open(fresh, 'w')
    try {
      await handle.writeFile(bytes)
      if (durable) await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(fresh, file)
  } catch (error) {
    // A full disk must not fill up with what it refused.
    await rm(fresh, { force: true }).catch(() => undefined)
    throw error
  }
  if (durable) await syncFolder(dirname(file))
}
