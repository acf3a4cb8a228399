import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KtError } from '../../graph/error.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import type { Placed } from '../../graph/port.ts'
import { DAMAGED } from '../../runtime/log.ts'
import type { KeptLog } from '../../runtime/log.ts'

/** A folder for one test. */
export const inFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'kt-log-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A segment log for a while. */
export const using = async <T>(
  folder: string,
  segmentBytes: number,
  use: (log: KeptLog) => Promise<T>,
): Promise<T> => {
  const log = await segmentLog(folder, { segmentBytes })
  try {
    return await use(log)
  } finally {
    await log.close()
  }
}

/** The error of kt that it rejects with. */
export const errorOf = async (promise: Promise<unknown>): Promise<KtError> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof KtError)) throw new Error(`expected an error of kt, not ${String(error)}`)
  return error
}

/** The first segment of a log. */
export const first = (folder: string): string => join(folder, '000000000001.segment')

/** Turn bytes of a file over. */
export const flip = async (file: string, at: number, length = 1): Promise<void> => {
  const bytes = await readFile(file)
  for (let i = at; i < at + length; i++) bytes[i]! ^= 0x40
  await writeFile(file, bytes)
}

/** Where bytes lie in a file, so that a test can damage what it means to. */
export const whereIs = async (file: string, bytes: Uint8Array): Promise<number> =>
  (await readFile(file)).indexOf(bytes)

/** Each segment with its size, in order. */
export const segmentsIn = async (folder: string): Promise<readonly (readonly [string, number])[]> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.segment')).sort()
  const files = names.map((name) => join(folder, name))
  return Promise.all(files.map(async (file) => [file, (await stat(file)).size] as const))
}

export const offsets = (found: readonly Placed[]): readonly number[] => found.map(({ offset }) => offset)

/** The offsets of those that are damaged. */
export const damagedIn = (found: readonly Placed[]): readonly number[] =>
  offsets(found.filter(({ schema }) => schema === DAMAGED))

export const upTo = (length: number): readonly number[] => Array.from({ length }, (_, i) => i)
