import { randomUUID } from 'node:crypto'
import { link, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HostError } from '../../graph/error.ts'
import { errnoOf } from './disk.ts'
import { textOf } from './segment-folder.ts'

const LOCK = /^lock\.(\d+)$/

/** Who writes, as a lock file says: a process is known by its number and when it was started. */
interface Owner {
  readonly pid: number
  readonly started: string
}

/**
 * Take the folder's writing side for this process, and return what gives it back. A lock is a file `lock.N`,
 * made by `link` so that one of many wins; the highest number holds, and only its holder removes lower ones.
 * So there is no moment in which a dead lock is removed and a fresh one with it. A dead process (kill -9)
 * holds nothing.
 */
export const lockFolder = async (folder: string): Promise<() => Promise<void>> => {
  for (;;) {
    const held = await locksOf(folder)
    const highest = held.at(-1) ?? 0
    const owner = highest === 0 ? undefined : await ownerOf(join(folder, `lock.${highest}`))
    if (owner !== undefined && (await alive(owner))) throw locked(folder, owner)
    const mine = highest + 1
    if (!(await linked(folder, mine))) continue
    const after = await locksOf(folder)
    if (after.at(-1) !== mine) {
      await rm(join(folder, `lock.${mine}`), { force: true })
      continue
    }
    for (const old of after.slice(0, -1)) await rm(join(folder, `lock.${old}`), { force: true })
    // An empty lock is nobody's, and to empty it takes no space on a full disk.
    return () => truncate(join(folder, `lock.${mine}`), 0)
  }
}

const locksOf = async (folder: string): Promise<readonly number[]> =>
  (await readdir(folder))
    .flatMap((name) => LOCK.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)

/** Make the lock file with its text in it, at once; false: another did. */
const linked = async (folder: string, number: number): Promise<boolean> => {
  const fresh = join(folder, `${randomUUID()}.tmp`)
  const owner: Owner = { pid: process.pid, started: (await startOf(process.pid)) ?? '' }
  try {
    await writeFile(fresh, JSON.stringify(owner))
    await link(fresh, join(folder, `lock.${number}`))
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(fresh, { force: true })
  }
}

/** A lock that cannot be read was given back, or torn by a loss of power: nobody holds it. */
const ownerOf = async (file: string): Promise<Owner | undefined> => {
  const text = await textOf(file)
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Owner)
  } catch {
    return undefined
  }
}

const alive = async ({ pid, started }: Owner): Promise<boolean> => {
  if (pid === 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false
  }
  const start = await startOf(pid)
  return start === undefined ? process.platform !== 'linux' : start === started
}

/**
 * When a process was started, in a form that no other start shares; undefined: it is gone, or the system
 * cannot say.
 */
const startOf = async (pid: number): Promise<string | undefined> => {
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ])
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${boot.trim()} ${fields[19]}`
  } catch {
    return undefined
  }
}

const locked = (folder: string, { pid }: Owner): HostError =>
  new HostError('KT3009', `process ${pid} writes this log`, {
    where: folder,
    why:
      pid === process.pid
        ? 'This process has opened it for writing already.'
        : 'A log has one writing process at a time.',
    fix: `Stop process ${pid}, or give this run a folder of its own.`,
    facts: { folder, pid },
    retry: { afterMs: 1000 },
  })
