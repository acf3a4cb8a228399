import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { AnySchema } from '../../graph/schema.ts'
import { trade } from '../../market/event.ts'
import { ready } from '../../sinks/clickhouse/migrate.ts'
import { startChdb } from '../../sinks/driver/chdb.ts'
import type { RunningChdb } from '../../sinks/driver/chdb.ts'
import { connectTables } from '../../sinks/driver/clickhouse.ts'
import { clickhouse } from '../../sinks/index.ts'
import { SmallDisk } from '../small-disk.ts'
import { tradeRecords } from './lake-world.ts'

const SECONDS = 12
const records = tradeRecords(0, 2000, 50)
const TABLES = ['a', 'b', 'c', 'd']

const started = async (
  dir: string,
): Promise<{ server: RunningChdb; tables: ReturnType<typeof connectTables> }> => {
  const server = await startChdb({ dir, port: 0 })
  if (server.kind === 'absent') throw new Error(server.why)
  const password = readFileSync(server.passwordFile, 'utf8').trim()
  return { server, tables: connectTables({ url: server.url, password }) }
}

/** Another program fills the disk again and again, while parts are written and merged. */
const fill = async (disk: SmallDisk): Promise<void> => {
  const filler = join(disk.folder, 'filler')
  for (const until = Date.now() + SECONDS * 1000; Date.now() < until;) {
    const filling = spawn('dd', ['if=/dev/zero', `of=${filler}`, 'bs=16k'], { stdio: 'ignore' })
    await new Promise((done) => filling.once('close', done))
    await pause(60 * Math.random())
    rmSync(filler)
    await pause(50 + 300 * Math.random())
  }
}

test(
  'what the embedded ClickHouse acknowledged is there after the disk was full, and after a restart',
  { timeout: 120_000 },
  async (context) => {
    using disk = SmallDisk.open('200m')
    if (disk === undefined) return context.skip('mounting a small disk takes root')
    const dir = join(disk.folder, 'clickhouse')
    let { server, tables } = await started(dir)
    const schema: AnySchema = trade
    for (const table of TABLES) await ready(tables, clickhouse(trade, { table }))
    let done = false
    let refused = 0
    const inserting = TABLES.map(async (table) => {
      const acknowledged: number[] = []
      for (let at = 0; !done && at < records.length; at++) {
        const label = { token: `x${at}`, comment: `x/${at}` }
        await tables.insert(table, { schema, records: [records[at]!] }, label).then(
          () => acknowledged.push(at),
          () => refused++,
        )
        await pause(20 * Math.random())
      }
      return acknowledged
    })
    await fill(disk)
    done = true
    const acknowledged = await Promise.all(inserting)
    expect(refused).toBeGreaterThan(0)
    const check = async (): Promise<void> => {
      for (const [i, table] of TABLES.entries()) {
        const sql =
          'SELECT `_off`, count() AS rows, sum(`price`) AS sum FROM {table:Identifier} GROUP BY `_off`'
        const held = new Map(
          (await tables.query(sql, { table })).map((row) => [Number(row['_off']), Number(row['rows'])]),
        )
        const lost = acknowledged[i]!.filter((at) => held.get(records[at]!.offset) !== records[at]!.rows)
        expect(lost, `of ${acknowledged[i]!.length} inserts into ${table}`).toEqual([])
        expect([...held.values()].filter((rows) => rows > 50)).toEqual([])
      }
    }
    for (const until = Date.now() + 30_000; ; await pause(200)) {
      const failure = await tables
        .query('SELECT 1', {})
        .then(check)
        .then(
          () => undefined,
          (error: unknown) => error,
        )
      if (failure === undefined) break
      if (Date.now() > until) throw failure
    }
    await tables.close()
    await server.stop()
    ;({ server, tables } = await started(dir))
    await check()
    await tables.close()
    await server.stop()
  },
)
