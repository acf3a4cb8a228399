import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { HostError } from '../graph/error.ts'
import { errnoOf } from '../runtime/driver/disk.ts'
import { lockFolder } from '../runtime/driver/segment-lock.ts'

/**
 * Take a data folder for this run, before anything of the run is started or written, and return what gives it
 * back. A dead process (kill -9) holds nothing.
 * @throws HostError KT5004 (another run has it), KT5005 (the disk refuses it)
 */
export const claimFolder = async (root: string): Promise<() => Promise<void>> => {
  try {
    makeFolder(root)
    return await lockFolder(root)
  } catch (error) {
    if (error instanceof HostError && error.code === 'KT3009') throw held(root, Number(error.facts['pid']))
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw refused(root, errno, '--data', error)
  }
}

/**
 * Make a folder and those above it. Node's own way to do this never returns where a folder that is there
 * takes no folder within it (`/proc`).
 */
const makeFolder = (path: string): void => {
  if (existsSync(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  }
}

/** A folder that a flag names, made where it is not there. Throws KT5005 when it cannot be. */
export const madeFolder = (path: string, flag: string): string => {
  try {
    makeFolder(resolve(path))
    return path
  } catch (error) {
    throw refused(path, errnoOf(error) ?? String(error), flag, error)
  }
}

const WHY: Readonly<Record<string, string>> = {
  EROFS: 'Its file system is read-only.',
  EACCES: 'This user may not write there.',
  EPERM: 'This user may not write there.',
  ENOSPC: 'The disk is full.',
  ENOENT: 'No folder can be made there.',
  ENOTDIR: 'A part of its path is a file.',
}

const refused = (path: string, errno: string, flag: string, cause: unknown): HostError =>
  new HostError('KT5005', `the data folder refused a write (${errno})`, {
    where: path,
    ...(errno in WHY ? { why: WHY[errno]! } : {}),
    fix: `Make space, give the rights to write there, or name another folder with ${flag}.`,
    retry: 'never',
    cause,
  })

/** The process of the run that has a data folder now, if one has. */
export const runningIn = async (root: string): Promise<number | undefined> => {
  const locks = readdirSync(root).flatMap((name) => /^lock\.(\d+)$/.exec(name)?.[1] ?? [])
  if (locks.length === 0) return undefined
  const newest = join(root, `lock.${Math.max(...locks.map(Number))}`)
  try {
    const { pid } = JSON.parse(readFileSync(newest, 'utf8')) as { readonly pid: number }
    if (pid === 0) return undefined
    process.kill(pid, 0)
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') return undefined
  }
  // A number may have gone to another process since: the lock itself knows.
  try {
    await (
      await lockFolder(root)
    )()
    return undefined
  } catch (error) {
    if (error instanceof HostError && error.code === 'KT3009') return Number(error.facts['pid'])
    throw error
  }
}

const held = (root: string, pid: number): HostError =>
  new HostError('KT5004', `process ${pid} runs in this data folder`, {
    where: root,
    why: 'A data folder belongs to one run at a time.',
    fix: `Stop it (Ctrl-C, or kill ${pid}), or give this run its own folder with --data.`,
    facts: { folder: root, pid },
    retry: 'never',
  })
