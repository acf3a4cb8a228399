import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Cursor } from '../../runtime/driver/segment-cursor.ts'
import { Frames, TABLE, tableAt } from '../../runtime/driver/segment-frame.ts'

const folder = mkdtempSync(join(tmpdir(), 'kt-cursor-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('frames longer and shorter than a chunk come whole, and whatever waits has its turn between chunks', async () => {
  const frames = new Frames(1 << 20)
  const wanted = Array.from({ length: 400 }, (_, i) => ({
    i,
    rest: 'x'.repeat(i === 7 ? 300_000 : 30_000),
  }))
  for (const one of wanted) frames.table(one, 0, TABLE)
  const file = join(folder, 'frames')
  writeFileSync(file, frames.bytes.subarray(0, frames.length))
  const handle = await open(file, 'r')
  const cursor = new Cursor(handle, 0)
  const found: unknown[] = []
  let [turn, most, row] = [true, 0, 0]
  for (;;) {
    const at = cursor.next()
    if (at >= 0) {
      found.push(tableAt(cursor.chunk, at))
      continue
    }
    if (turn) setImmediate(() => (turn = true))
    turn = false
    if ((await cursor.load(frames.length)) === 'end') break
    most = Math.max(most, (row = turn ? 0 : row + 1))
  }
  await handle.close()
  expect(found).toEqual(wanted)
  expect(most).toBeLessThanOrEqual(20)
})
