import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { HostError } from '../../graph/error.ts'
import type { ObjectStore } from '../../graph/port.ts'
import { errnoOf, syncFolder, whenThere } from './disk.ts'

const TMP = '.kt-tmp-'

/**
 * An object store in a folder, for one machine. An object is written beside its place, synced, and then moved
 * or linked into it, so that a reader sees all of it or nothing, and a loss of power takes back nothing that
 * was acknowledged.
 */
export const fileStore = (folder: string): ObjectStore =>
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
    list: async (prefix: string) => {
      const within = prefix.slice(0, prefix.lastIndexOf('/') + 1)
      const start = within === '' ? folder : placeOf(folder, within.slice(0, -1))
      const entries = (await whenThere(readdir(start, { recursive: true, withFileTypes: true }))) ?? []
      return entries
        .filter((entry) => entry.isFile() && !entry.name.startsWith(TMP))
        .map((entry) =>
          join(entry.parentPath, entry.name).slice(join(folder, sep).length).replaceAll(sep, '/'),
        )
        .filter((path) => path.startsWith(prefix))
        .sort()
    },
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

/** A path names an object within the folder, and in one way only. */
const placeOf = (folder: string, path: string): string => {
  const parts = path.split('/')
  const strange = (part: string): boolean =>
    part === '' || part === '.' || part === '..' || part.startsWith(TMP) || /[\0\\]/.test(part)
  if (parts.some(strange)) {
    throw new HostError('KT3010', `"${path}" cannot name an object`, {
      fix: 'Use names parted by single slashes, without "." and "..".',
      facts: { path },
      retry: 'never',
    })
  }
  return join(folder, ...parts)
}

const refused = (where: string, cause: unknown): HostError =>
  new HostError('KT3011', `the folder of objects refused a write (${errnoOf(cause)})`, {
    where,
    fix: 'Make space, or look at the rights of the folder and at the disk.',
    retry: { afterMs: 1000 },
    cause,
  })
