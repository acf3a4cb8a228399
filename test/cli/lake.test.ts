import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openLake } from '../../cli/lake.ts'
import { choice, count, float, floats, micros, name, optional, schema } from '../../graph/schema.ts'
import type { AnySchema, Event, Floats } from '../../graph/schema.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { lake } from '../../sinks/lake.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { memoryLog, memoryObjects, recordsOf, virtualClock } from '../sinks/lake-world.ts'

const root = mkdtempSync(join(tmpdir(), 'kt-own-lake-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Spread extends Event<'quotedSpread'> {
  readonly instrument: string
  readonly received: number
  readonly bps: number
  readonly lastBps: number | null
  readonly touch: Floats
  readonly side: 'wider' | 'narrower'
  readonly lastId: number
}
const quotedSpread = schema<Spread>('quotedSpread', 'quoted spread of each book', {
  instrument: name('venue:kind:BASE-QUOTE'),
  received: micros('when it reached us'),
  bps: float('ten-thousandths of the mid price'),
  lastBps: optional(float('the one before')),
  touch: floats('best bid and ask'),
  side: choice('against the one before', 'wider', 'narrower'),
  lastId: count('last id of the venue'),
})
const spread = (bps: number, lastBps: number | null): Spread => ({
  instrument: 'binance:spot:BTC-USDT',
  received: 1_767_571_200_000_123,
  bps,
  lastBps,
  touch: [99, 101],
  side: 'wider',
  lastId: 2 ** 53 - 1,
})

/** An event that is called as one of ours, and is another. */
const trade = schema<Event<'trade'> & { readonly received: number; readonly how: string }>('trade', 'own', {
  received: micros('when it reached us'),
  how: name('how it was traded'),
})

const write = async (folder: string, of: AnySchema, rows: readonly object[]): Promise<string> => {
  const path = join(root, folder)
  const load = runLake({
    graph: 'own',
    cut: 'events',
    objects: fileStore(path),
    clock: virtualClock(),
    format: parquet,
    positions: memoryObjects(),
    log: memoryLog(recordsOf(of, 'own', 0, [rows])),
    sinks: [{ topic: 'own', partitions: 1, sink: lake(of as never) }],
  })
  await load.drain()
  return path
}

const ask = async (folder: string, query: string, graph: readonly AnySchema[] = []) => {
  const opened = await openLake(folder, graph)
  try {
    return (await opened.query(query)).rows
  } finally {
    opened.close()
  }
}

describe('the lake knows', () => {
  test('tables of events that kt has never heard of, by what the tables say of themselves', async () => {
    const folder = await write('own', quotedSpread, [spread(1.5, null), spread(2.5, 1.5)])
    expect(
      await ask(
        folder,
        'SELECT * EXCLUDE (_topic, _part, _off, _row, _order, _step, _epoch) FROM quoted_spread',
      ),
    ).toEqual(
      [1.5, 2.5].map((bps, i) => ({
        instrument: 'binance:spot:BTC-USDT',
        received: '2026-01-05T00:00:00.000123Z',
        bps,
        last_bps: i === 0 ? null : 1.5,
        touch: [99, 101],
        side: 'wider',
        last_id: 2 ** 53 - 1,
        dt: '2026-01-05',
      })),
    )
    expect(await ask(folder, 'SELECT count(*) AS n FROM funding_carry')).toEqual([{ n: 0 }])
  })

  test('events of the graph that have no rows yet', async () => {
    const folder = join(root, 'nothing')
    expect(await ask(folder, 'SELECT count(*) AS n FROM quoted_spread', [quotedSpread])).toEqual([{ n: 0 }])
    await expect(ask(folder, 'SELECT count(*) AS n FROM quoted_spread')).rejects.toMatchObject({
      code: 'KT3411',
    })
  })

  test("an event that has the name of one of kt's and is another, without the views that are about kt's", async () => {
    const folder = await write('named', trade, [{ received: 1_767_571_200_000_000, how: 'by voice' }])
    expect(await ask(folder, 'SELECT how FROM trade')).toEqual([{ how: 'by voice' }])
    await expect(ask(folder, 'SELECT * FROM trade_in_base')).rejects.toMatchObject({ code: 'KT3411' })
  })
})
