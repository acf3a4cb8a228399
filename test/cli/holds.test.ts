import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { holds } from '../../cli/part/holds.ts'
import type { ReadFrom } from '../../graph/port.ts'
import { refusedByDisk } from '../../runtime/driver/segment-folder.ts'

const full = (): Error => refusedByDisk('log', Object.assign(new Error('no space'), { code: 'ENOSPC' }))
const at = (offset: number): readonly ReadFrom[] => [{ topic: 't', partition: 0, offset }]

test('how far a reader is gets to the log in order, and after a full disk too', async () => {
  const kept: string[] = []
  let space = true
  let attempts = 0
  const refusals: string[] = []
  const log = {
    hold: async (reader: string, positions: readonly ReadFrom[] | undefined) => {
      attempts++
      const refused = !space
      await pause(2)
      if (refused) throw full()
      kept.push(`${reader} ${positions![0]!.offset}`)
    },
  }
  const hold = holds(log, ({ code }) => refusals.push(code), 5)
  hold('a', at(1))
  hold('a', at(2))
  hold('b', at(1))
  hold('a', at(3))
  await pause(50)
  // The word that was under way, and the newest: what lay between is of no use.
  expect(kept).toEqual(['a 1', 'b 1', 'a 3'])

  space = false
  attempts = 0
  hold('a', at(4))
  await pause(100)
  expect(attempts).toBeGreaterThan(2)
  expect(refusals).toEqual(['KT3005'])
  hold('a', at(5))
  space = true
  await pause(50)
  expect(kept.slice(3)).toEqual(['a 5'])
  attempts = 0
  await pause(50)
  expect(attempts).toBe(0)
})
