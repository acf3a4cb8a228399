import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Columns } from '../../graph/columns.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import type { Log } from '../../graph/port.ts'
import { trade } from '../../market/event.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { clickhouse } from '../../sinks/clickhouse/sink.ts'
import { runClickhouse } from '../../sinks/clickhouse/load.ts'
import { describedAs } from '../../sinks/clickhouse/table.ts'
import { DESCRIBE, IDENTITY } from '../../sinks/clickhouse/tables.ts'
import type { Tables } from '../../sinks/clickhouse/tables.ts'
import { MemoryObjects } from './clickhouse-fake.ts'
import { World } from './clickhouse-world.ts'

const HOUR_S = 3600

/** A log, and how many bytes of it were handed out. */
const counted = (log: Log): { readonly log: Pick<Log, 'read' | 'ends'>; readonly bytes: () => number } => {
  let bytes = 0
  return {
    bytes: () => bytes,
    log: {
      ends: () => log.ends(),
      read: async (from) => {
        const reader = await log.read(from)
        return {
          close: () => reader.close(),
          read: async (most, waitMs) => {
            const records = await reader.read(most, waitMs)
            for (const record of records) bytes += record.bytes.length
            return records
          },
        }
      },
    },
  }
}

test('ClickHouse away for an hour is asked ever more seldom, nothing is read for it, and all is loaded then', async () => {
  const world = new World(5)
  world.server.calm = true
  const { loading } = world.begin()
  await world.write(20)
  await world.settled()
  world.server.away = true
  const [claims, asked] = [world.objects.objects.size, world.server.asked]
  for (let minute = 0; minute < 60; minute++) {
    await world.write(10)
    await world.elapse(60_000)
  }
  expect(loading.status()).toMatchObject([{ state: 'waiting', error: { code: 'KT6101' } }])
  // The last wait is 10 s; a claim that was taken before it was noticed stays.
  expect(world.server.asked - asked).toBeGreaterThan(HOUR_S / 10 / 2)
  expect(world.server.asked - asked).toBeLessThan(HOUR_S / 10 + 30)
  expect(world.objects.objects.size - claims).toBeLessThanOrEqual(2)
  world.server.away = false
  await world.elapse(60_000)
  expect(loading.status()[0]!.partitions.map(({ lagRecords }) => lagRecords)).toEqual([0, 0])
  world.expectExact()
  await world.end()
})

test('while inserts hang for an hour no more than a bound is read, and then all of it is loaded once', async () => {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1) * 1000)
  const log = new MemoryLog(clock)
  const sink = clickhouse(trade, { table: 'slow' })
  const columns = new Columns(logged(trade))
  const row = {
    venue: 'v',
    instrument: 'i',
    id: 'x'.repeat(900),
    side: 'buy',
    price: 1,
    size: 1,
    first: 1,
    last: 1,
  }
  const writer = await log.write('shard')
  const [records, rows] = [60, 2000]
  for (let step = 0; step < records; step++) {
    for (let at = 0; at < rows; at++)
      columns.add({ ...row, time: clock.now(), received: clock.now() + step }, at)
    const record = { topic: 'slow', partition: 0, schema: schemaId(trade), ...columns.take() }
    await writer.append({ shard: 'shard', step, time: clock.now(), inputs: [], records: [record] })
  }
  await writer.close()
  let open: () => void = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const arrived = new Map<number, number>()
  const tables: Tables = {
    exec: async () => {},
    query: async (sql) => {
      if (sql === IDENTITY) return [{ uuid: '1', engine: 'MergeTree' }]
      return sql === DESCRIBE ? describedAs(trade) : []
    },
    insert: async (_, block) => {
      await gate
      for (const { offset, rows: of } of block.records) arrived.set(offset, (arrived.get(offset) ?? 0) + of)
    },
  }
  const { log: read, bytes } = counted(log)
  const sinks = [{ topic: 'slow', partitions: 1, sink }]
  const loading = runClickhouse({ log: read, tables, clock, objects: new MemoryObjects(), sinks })
  const elapse = async (seconds: number): Promise<void> => {
    for (let at = 0; at < seconds; at++) {
      for (let turns = 0; turns < 4; turns++) await turn()
      clock.advance(clock.now() + 1e6)
    }
  }
  await elapse(HOUR_S)
  // 48 MiB wait, and what one read brings on top of it.
  expect(bytes()).toBeGreaterThan(40 << 20)
  expect(bytes()).toBeLessThan((48 << 20) + (8 << 20))
  open()
  await elapse(120)
  expect([...arrived.values()]).toEqual(Array.from({ length: records }, () => rows))
  expect(loading.status()[0]!.partitions[0]!.lagRecords).toBe(0)
  const stopped = loading.stop()
  await elapse(5)
  await stopped
})
