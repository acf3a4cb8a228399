import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

/**
 * The folder of recorded frames: beside the project, or where KT_RECORDINGS says. Their licences keep them out
 * of the project.
 */
export const recordings = process.env['KT_RECORDINGS'] ?? resolve(import.meta.dirname, '../../shared/data')

/** Whether all of these paths are there. If not, what is not tested without them is said aloud. */
export const hasRecordings = (untested: string, ...paths: readonly string[]): boolean => {
  const absent = paths.filter((path) => !existsSync(path))
  if (absent.length === 0) return true
  console.warn(
    `SKIPPED: ${untested}: no recordings in ${absent.join(', ')}; KT_RECORDINGS says where they are`,
  )
  return false
}
