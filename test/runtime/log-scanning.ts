import { describe, expect } from 'vitest'
import type { Placed } from '../../graph/port.ts'
import { scanned } from '../../runtime/scan.ts'
import type { Promised } from './log-home.ts'
import { brief, codeOf, drain, from, stepOf } from './steps.ts'

/** A record with its bytes, at the moment when it is seen. */
const whole = (record: Placed): string =>
  `${brief(record)} ${record.schema} ${record.time} ${Buffer.from(record.bytes).toString('base64')}`

/** Numbers that look random, the same ones each time. */
const dice = (seed: number) => {
  let state = seed
  return (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below
}

/** What a log promises of records that are shown and not kept. */
export const scanningPromises = (name: string, promise: Promised): void => {
  describe(`${name}: scanning`, () => {
    promise('reads and scans in any order give all records once, and what was read stays', async (log) => {
      const writer = await log.write('a')
      const below = dice(7)
      const topics = ['t', 'u', 'v', 'w']
      const steps = Array.from({ length: 400 }, (_, i) => {
        const some = topics.filter(() => below(3) > 0)
        return stepOf('a', i + 1, some.length === 0 ? ['t'] : some, 1 + below(below(20) === 0 ? 90_000 : 900))
      })
      await Promise.all(steps.map((step) => writer.append(step)))
      const wanted = (await drain(await log.read(from('t', 'v', 'w')))).map(whole)
      const reader = await log.read(from('t', 'v', 'w'))
      const found: string[] = []
      const kept: { readonly at: number; readonly record: Placed }[] = []
      for (let left = wanted.length; left > 0;) {
        const bytes = 1 + below(300_000)
        const before = found.length
        if (below(2) === 0) {
          const count = await scanned(reader, bytes, 1000, (record) => void found.push(whole(record)))
          expect(found.length - before).toBe(count)
        } else {
          for (const record of await reader.read(bytes, 1000)) {
            kept.push({ at: found.length, record })
            found.push(whole(record))
          }
        }
        expect(found.length).toBeGreaterThan(before)
        left -= found.length - before
      }
      expect(found).toEqual(wanted)
      expect(kept.length).toBeGreaterThan(50)
      for (const { at, record } of kept) expect(whole(record)).toBe(wanted[at])
    })

    promise('a scan waits as a read does, and ends with its reader', async (log) => {
      const reader = await log.read(from('t'))
      const none = (): void => expect.unreachable()
      expect(await scanned(reader, 1000, 20, none)).toBe(0)
      const waiting = scanned(reader, 1000, 60_000, none)
      await new Promise((resolve) => setTimeout(resolve, 5))
      await reader.close()
      expect(await waiting).toBe(0)
      expect(await codeOf(scanned(reader, 1000, 0, none))).toBe('KT3008')
    })
  })
}
