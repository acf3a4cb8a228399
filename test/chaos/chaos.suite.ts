import { expect, test } from 'vitest'
import { temporary } from '../e2e/command.ts'
import { SmallDisk } from '../small-disk.ts'
import { chaos, PROCESS_FAULTS } from './chaos.ts'
import { StepClock } from './step-clock.ts'

/** Each fault that can be, and a few at random. The whole form is `npm run chaos`; its results stand in docs/checks.md. */
const FAULTS = 14

test(
  'nothing is lost or doubled, whatever dies, stands still, is full or has another time',
  { timeout: 180_000 },
  async () => {
    const disk = SmallDisk.open('1g')
    const clock = StepClock.open()
    if (clock === undefined) console.warn('no C compiler, or not Linux: the wall clock is not set')
    using folder = temporary()
    try {
      const report = await chaos({
        faults: FAULTS,
        seed: Number(process.env['KT_SEED'] ?? 3),
        folder: disk?.folder ?? folder.path,
        disk: disk !== undefined,
        clock,
        say: () => {},
      })
      console.log(JSON.stringify(report))
      expect(report.findings).toEqual([])
      expect(report.unexplained).toBe(0)
      expect(report.trades).toBeGreaterThan(1000)
      const able = [...(disk === undefined ? [] : ['disk']), ...(clock === undefined ? [] : ['clock'])]
      expect(Object.keys(report.faults).toSorted()).toEqual([...PROCESS_FAULTS, ...able].toSorted())
    } finally {
      disk?.[Symbol.dispose]()
      clock?.[Symbol.dispose]()
    }
  },
)
