import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KtError } from '../../graph/error.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
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
