import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SmallDisk } from '../small-disk.ts'

test('writes that the engine lost on a full disk are found out, and said', { timeout: 60_000 }, (context) => {
  using disk = SmallDisk.open('100m')
  if (disk === undefined) return context.skip('mounting a small disk takes root')
  const script = join(import.meta.dirname, 'chdb-full.ts')
  const { stdout, stderr } = spawnSync(process.execPath, [script, disk.folder], { encoding: 'utf8' })
  if (stderr.includes('Cannot find module')) return context.skip('chDB is not installed')
  const lost = expect.stringMatching(
    /^Code: 243\. DB::Exception: the disk is full: a write was refused.*NOT_ENOUGH_SPACE/,
  )
  const room = expect.stringMatching(/^Code: 243\. DB::Exception: the disk is full: 0 MB are free/)
  expect(stdout.trim().split('\n')).toEqual(['well', 'well', room, 'well', 'well', 'damaged', lost, lost])
})
