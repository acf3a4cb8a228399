import { test } from 'vitest'
import type { ReadFrom } from '../../graph/port.ts'
import type { KeptLog } from '../../runtime/log.ts'

/** A place where a log lives: `open` again goes on with what is there. */
export interface Home {
  readonly open: () => Promise<KeptLog>
  /** The process that had it open dies. */
  readonly crash: (log: KeptLog) => Promise<void>
  readonly remove: () => Promise<void>
  /** What an append said, as a reader of this log says it; the same, when it is left out. */
  readonly told?: (log: KeptLog, one: ReadFrom) => Promise<number>
}

const withHome = async (make: () => Promise<Home>, use: (home: Home) => Promise<void>): Promise<void> => {
  const home = await make()
  try {
    await use(home)
  } finally {
    await home.remove()
  }
}

/** A test of one promise, on a log of its own. */
export type Promised = (says: string, check: (log: KeptLog, home: Home) => Promise<void>) => void

export const promised =
  (make: () => Promise<Home>): Promised =>
  (says, check) =>
    test(says, () =>
      withHome(make, async (home) => {
        const log = await home.open()
        await check(log, home)
        await log.close()
      }),
    )
