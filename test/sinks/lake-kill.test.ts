import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import { readParquet } from 'parquet-wasm/node'
import { afterAll, expect, test } from 'vitest'
import { parquet } from '../../sinks/driver/parquet.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { folderObjects } from './lake-world.ts'
import { randomOf } from '../random.ts'

/** More kills on demand: `LAKE_KILLS=100 vitest run test/sinks/lake-kill.test.ts`. */
const KILLS = Number(process.env['LAKE_KILLS'] ?? 4)
const roots: string[] = []
const root = (): string => {
  roots.push(mkdtempSync(join(tmpdir(), 'kt-lake-')))
  return roots.at(-1)!
}
afterAll(() => roots.forEach((one) => rmSync(one, { recursive: true, force: true })))

/** A loader in its own process; it is killed after so many objects have been added, or runs to its end. */
const loader = (folder: string, seed: string, killAfter = Infinity): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'lake-child.ts'), folder, seed], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const before = readdirSync(folder, { recursive: true }).length
    const watch = setInterval(() => {
      if (readdirSync(folder, { recursive: true }).length - before >= killAfter) child.kill('SIGKILL')
    }, 1)
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      clearInterval(watch)
      if (code !== 0 && signal !== 'SIGKILL') reject(new Error(`the loader ended with ${code}`))
      else resolve(code === 0)
    })
  })

test(`every row is in the lake once after ${KILLS} kill -9`, async () => {
  const folder = root()
  const below = randomOf(11)
  let kills = 0
  for (let seed = 1; seed <= KILLS; seed++) if (!(await loader(folder, String(seed), 2 + below(12)))) kills++
  await loader(folder, '0')
  expect(kills).toBeGreaterThan(Math.min(2, KILLS - 1))
  const objects = folderObjects(folder)
  const log = new DeltaLog(objects, 'trade', parquet.checkpoint)
  await log.refresh()
  const seen = new Set<string>()
  let rows = 0
  for (const { path } of log.files()) {
    for (const row of tableFromIPC(readParquet((await objects.get(`trade/${path}`))!).intoIPCStream())) {
      seen.add(`${row!['_part']} ${row!['_off']} ${row!['_row']} ${row!['id']}`)
      rows++
    }
  }
  expect([rows, seen.size]).toEqual([3000, 3000])
}, 300_000)

test('two processes write the same bytes when events decide the cut, one of them killed on its way', async () => {
  const [calm, killed] = [root(), root()]
  await loader(calm, 'events')
  await loader(killed, 'events', 9)
  await loader(killed, 'events')
  const shaOf = (folder: string): readonly string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.tmp'))
      .map((entry) => join(entry.parentPath, entry.name))
      .map(
        (path) =>
          `${path.slice(folder.length)} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`,
      )
      .sort()
  expect(shaOf(killed)).toEqual(shaOf(calm))
  expect(shaOf(calm).length).toBeGreaterThan(40)
}, 60_000)
