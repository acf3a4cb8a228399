import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { HostError } from '../../graph/error.ts'
import type { ObjectArchive, StoredObject } from '../../graph/port.ts'
import { checkedPath, TMP } from '../objects.ts'
import { errnoOf, syncFolder, whenThere } from './disk.ts'

/**
 * An object store in a folder, for one machine. An object is written beside its place, synced, and then moved
 * or linked into it, so that a reader sees all of it or nothing, and a loss of power takes back nothing that
 * was acknowledged.
 */
export const fileStore = (folder: string): ObjectArchive =>
  Object.freeze({
    get: async (path: string) => whenThere(readFile(placeOf(folder, path))),
    put: async (path: string, bytes: Uint8Array) => {
      const place = placeOf(folder, path)
      await written(place, bytes, async (fresh) => {
        await rename(fresh, place)
        await syncFolder(dirname(place))
      })
    },
    putIfAbsent: async (path: string, bytes: Uint8Array) => {
      const place = placeOf(folder, path)
      return written(place, bytes, async (fresh) => {
        const won = await linked(fresh, place)
        if (won) await syncFolder(dirname(place))
        return won
      })
    },
    list: (prefix: string) => pathsIn(folder, prefix),
    listed: async (prefix: string) => {
      const found: StoredObject[] = []
      for (const path of await pathsIn(folder, prefix)) {
        const about = await whenThere(stat(placeOf(folder, path)))
        if (about !== undefined)
          found.push({ path, size: about.size, modified: Math.floor(about.mtimeMs * 1000) })
      }
      return found
    },
    range: async (path: string, first: number, length: number) =>
      whenThere(part(placeOf(folder, path), first, length)),
    remove: async (path: string) => {
      const place = placeOf(folder, path)
      await rm(place, { force: true })
      await whenThere(syncFolder(dirname(place)))
    },
  })

/** Write the bytes beside their place, and hand that file over; whatever happens it does not stay. */
const written = async <T>(
  place: string,
  bytes: Uint8Array,
  use: (fresh: string) => Promise<T>,
): Promise<T> => {
  const fresh = join(dirname(place), `${TMP}${randomUUID()}`)
  try {
    await makeFolder(dirname(place))
    const handle = await open(fresh, 'wx')
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    return await use(fresh)
  } catch (error) {
    throw errnoOf(error) === undefined ? error : refused(place, error)
  } finally {
    await rm(fresh, { force: true }).catch(() => undefined)
  }
}

/** Of many who link, one wins, whichever process they are in. */
const linked = async (fresh: string, place: string): Promise<boolean> => {
  try {
    await link(fresh, place)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

/** A new folder is durable when the one it is in is. */
const makeFolder = async (folder: string): Promise<void> => {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
}

const placeOf = (folder: string, path: string): string => join(folder, ...checkedPath(path))

const pathsIn = async (folder: string, prefix: string): Promise<readonly string[]> => {
  const within = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const start = within === '' ? folder : placeOf(folder, within.slice(0, -1))
  const entries = (await whenThere(readdir(start, { recursive: true, withFileTypes: true }))) ?? []
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith(TMP))
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, sep).length).replaceAll(sep, '/'))
    .filter((path) => path.startsWith(prefix))
    .sort()
}

const part = async (place: string, first: number, length: number): Promise<Uint8Array> => {
  const handle = await open(place, 'r')
  try {
    const { size } = await handle.stat()
    const begin = first < 0 ? Math.max(0, size + first) : Math.min(first, size)
    const bytes = new Uint8Array(Math.min(length, size - begin))
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, begin + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  } finally {
    await handle.close()
  }
}

const refused = (where: string, cause: unknown): HostError =>
  new HostError('KT3011', `the folder of objects refused a write (${errnoOf(cause)})`, {
    where,
    fix: 'Make space, or look at the rights of the folder and at the disk.',
    retry: { afterMs: 1000 },
    cause,
  })
