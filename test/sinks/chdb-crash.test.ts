import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { KtError } from '../../graph/error.ts'
import { startChdb } from '../../sinks/driver/chdb.ts'
import { rowsOf, start } from './chdb-start.ts'

const first = await start()
await first?.end()

const fresh = async () => {
  const started = await start()
  if (started === undefined) throw new Error('chdb was here a moment ago')
  onTestFinished(() => started.end())
  return started
}

describe.skipIf(first === undefined)(
  'embedded ClickHouse that dies (skipped where chdb is not installed)',
  () => {
    test(
      'is started again on the same port, and no acknowledged insert is lost',
      { timeout: 30_000 },
      async () => {
        const { chdb, client: connect } = await fresh()
        const client = connect({ request_timeout: 5000 })
        await client.command({ query: 'CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id' })
        let restarts = 0
        chdb.onRestart((count) => (restarts = count))
        const acknowledged: number[] = []
        let refused = 0
        let going = true
        const write = async (writer: number) => {
          for (let n = 0; going; n += 1) {
            const id = writer * 1_000_000 + n
            await client.insert({ table: 't', values: [{ id }], format: 'JSONEachRow' }).then(
              () => acknowledged.push(id),
              () => (refused += 1),
            )
          }
        }
        const writers = [0, 1, 2].map(write)
        for (const kill of [1, 2, 3]) {
          await new Promise((resolve) => setTimeout(resolve, 300))
          process.kill(chdb.pid, 'SIGKILL')
          await expect.poll(() => restarts, { timeout: 10_000 }).toBe(kill)
        }
        going = false
        await Promise.all(writers)
        expect(refused).toBeGreaterThan(0)
        const ids = new Set(
          (await rowsOf(client, 'SELECT id FROM t')).map((row) => Number((row as [string])[0])),
        )
        expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
        expect(await rowsOf(client, 'SELECT count() - uniqExact(id) FROM t')).toEqual([['0']])
      },
    )

    test('leaves when the process that started it is killed, and the next has the directory', async () => {
      const { dir, chdb } = await fresh()
      await chdb.stop()
      const parent = join(dir, 'parent.ts')
      const driver = fileURLToPath(new URL('../../sinks/driver/chdb.ts', import.meta.url))
      writeFileSync(
        parent,
        `import { startChdb } from ${JSON.stringify(driver)}
      const chdb = await startChdb({ dir: ${JSON.stringify(dir)}, port: 0 })
      console.log(chdb.kind === 'running' ? chdb.url : 'absent')
      setInterval(() => {}, 1e6)`,
      )
      const child = spawn(process.execPath, [parent], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(child.stdout, 'data')
      child.kill('SIGKILL')
      const killed = performance.now()
      const next = await startChdb({ dir, port: 0 })
      expect(next.kind).toBe('running')
      expect(performance.now() - killed).toBeLessThan(4000)
      if (next.kind === 'running') await next.stop()
    })

    test('says that the directory is in use, and the first owner works on', { timeout: 20_000 }, async () => {
      const { dir, client } = await fresh()
      const failure = await startChdb({ dir, port: 0 }).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(KtError)
      expect(failure).toMatchObject({ code: 'KT5202', where: dir })
      expect((failure as KtError).why).toMatch(/process \d+/)
      expect(await rowsOf(client(), 'SELECT 1')).toEqual([[1]])
    })

    test('says that the port is taken', { timeout: 20_000 }, async () => {
      const { dir, chdb } = await fresh()
      await chdb.stop()
      const other = createServer().listen(0, '127.0.0.1')
      await once(other, 'listening')
      const { port } = other.address() as AddressInfo
      const failure = await startChdb({ dir, port }).catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: 'KT5203' })
      other.close()
    })

    test('keeps its tables when it is stopped and started', async () => {
      const { dir, chdb, client } = await fresh()
      await client().command({ query: 'CREATE TABLE kept ENGINE = MergeTree ORDER BY a AS SELECT 7 AS a' })
      await chdb.stop()
      const again = await startChdb({ dir, port: 0 })
      if (again.kind !== 'running') throw new Error(again.why)
      expect(await rowsOf(client({ url: again.url }), 'SELECT a FROM kept')).toEqual([[7]])
      await again.stop()
    })
  },
)
