import { tableFromIPC } from 'apache-arrow'
import { readParquet } from 'parquet-wasm/node'
import { describe, expect, test } from 'vitest'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import type { Placed } from '../../graph/port.ts'
import { logged, optional, text } from '../../graph/schema.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { bookDelta, trade } from '../../market/event.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { lake } from '../../sinks/lake.ts'
import type { AnyLakeSink } from '../../sinks/lake.ts'
import { encodeCommit } from '../../sinks/lake/action.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { EVENING, memoryLog, memoryObjects, recordsOf, tradeRecords } from './lake-world.ts'
import type { MemoryObjects } from './lake-world.ts'
import { quick, rowsInLake, rowsInLog, runOf, shaOf, twoPartitions } from './lake-check.ts'

describe('the table', () => {
  const drained = async (
    sink: AnyLakeSink,
    records: readonly Placed[],
    objects: MemoryObjects,
  ): Promise<void> => runLake(runOf({ sink, log: memoryLog(records), objects })).drain()

  test('opens from its last checkpoint alone, positions included', async () => {
    const objects = memoryObjects()
    const records = twoPartitions(60)
    await runLake(runOf({ cut: 'events', log: memoryLog(records), objects })).drain()
    const { version } = JSON.parse(
      new TextDecoder().decode(objects.objects.get('trade/_delta_log/_last_checkpoint')),
    ) as { version: number }
    expect(version).toBeGreaterThan(4)
    for (let old = 0; old <= version; old++)
      objects.objects.delete(`trade/_delta_log/${String(old).padStart(20, '0')}.json`)
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
    const again = runLake(runOf({ log: memoryLog(records), objects }))
    await again.drain()
    expect(again.status()[0]).toMatchObject({ rows: 0, partitions: [{ lagRecords: 0 }, { lagRecords: 0 }] })
  })

  test('is whole in a checkpoint: positions, files and what it is', async () => {
    const objects = memoryObjects()
    await runLake(runOf({ cut: 'events', log: memoryLog(twoPartitions(60)), objects })).drain()
    const folder = 'trade/_delta_log/'
    const version = 5
    const upTo = memoryObjects()
    for (let old = 0; old <= version; old++) {
      const name = `${folder}${String(old).padStart(20, '0')}.json`
      upTo.objects.set(name, objects.objects.get(name)!)
    }
    const alone = memoryObjects()
    const name = `${folder}${String(version).padStart(20, '0')}.checkpoint.parquet`
    alone.objects.set(name, objects.objects.get(name)!)
    alone.objects.set(`${folder}_last_checkpoint`, new TextEncoder().encode(JSON.stringify({ version })))
    const opened = async (store: MemoryObjects): Promise<DeltaLog> => {
      const log = new DeltaLog(store, 'trade', parquet.checkpoint)
      await log.refresh()
      return log
    }
    const [replayed, restored] = [await opened(upTo), await opened(alone)]
    expect(restored.version).toBe(version)
    expect(restored.files()).toEqual(replayed.files())
    expect(restored.metaData).toEqual(replayed.metaData)
    for (const partition of [0, 1]) {
      const appId = `kt/lake.trade/trade/${partition}`
      expect(restored.position(appId)).toBe(replayed.position(appId))
      expect(restored.position(appId)).toBeGreaterThan(0)
    }
  })

  test('says of a file what encloses its rows, in milliseconds', async () => {
    const objects = memoryObjects()
    await drained(quick, tradeRecords(0, 1, 3), objects)
    const log = new DeltaLog(objects, 'trade', parquet.checkpoint)
    await log.refresh()
    // The rows are at .000000, .100013 and .200026 past the start, and received 2.345 ms later.
    expect(JSON.parse(log.files()[0]!.stats)).toEqual({
      numRecords: 3,
      minValues: { time: '2026-01-01T23:59:30.000Z', received: '2026-01-01T23:59:30.002Z', _off: 0 },
      maxValues: { time: '2026-01-01T23:59:30.201Z', received: '2026-01-01T23:59:30.203Z', _off: 0 },
      nullCount: { time: 0, received: 0, first: 0, last: 0, _off: 0 },
    })
  })

  test('takes a new column of a later version, and refuses one that older files cannot lack', async () => {
    const objects = memoryObjects()
    const records = tradeRecords(0, 4, 5)
    await drained(quick, records, objects)
    const wider = (field: object): AnySchema => ({
      ...trade,
      version: 2,
      columns: [...trade.columns, { ...field, name: 'venueNote' } as Column],
    })
    const row = { ...rowsOf(readBatch(logged(trade), records[0]!.bytes))[0]!, venueNote: 'block' }
    const more = (of: AnySchema): readonly Placed[] => [
      ...records,
      ...recordsOf(of, 'trade', 0, [[row]]).map((record) => ({ ...record, offset: records.length })),
    ]
    const sinkOf = (of: AnySchema): AnyLakeSink => ({ ...quick, schema: of })
    const solid = wider(text('what the venue said'))
    await expect(drained(sinkOf(solid), more(solid), objects)).rejects.toMatchObject({ code: 'KT3403' })
    const open = wider(optional(text('what the venue said')))
    await drained(sinkOf(open), more(open), objects)
    const log = new DeltaLog(objects, 'trade', parquet.checkpoint)
    await log.refresh()
    expect(log.metaData!.configuration['kt.schema']).toBe('trade/2')
    expect(log.metaData!.schemaString).toContain('"name":"venue_note","type":"string","nullable":true')
    expect(log.position('kt/lake.trade/trade/0')).toBe(records.length + 1)
  })

  test('adopts a file that a crash left behind, and never replaces one that differs', async () => {
    const records = tradeRecords(0, 3, 5)
    const clean = memoryObjects()
    await drained(quick, records, clean)
    const path = [...clean.objects.keys()].find((name) => name.includes('/dt='))!
    const same = memoryObjects()
    same.objects.set(path, clean.objects.get(path)!)
    await drained(quick, records, same)
    expect(shaOf(same)).toEqual(shaOf(clean))
    const foreign = memoryObjects()
    foreign.objects.set(path, new Uint8Array([1, 2, 3]))
    await drained(quick, records, foreign)
    expect(foreign.objects.get(path)).toEqual(new Uint8Array([1, 2, 3]))
    expect(await rowsInLake(foreign)).toEqual(rowsInLog(records))
  })

  test('leaves out what was removed, and refuses what a newer writer made of it', async () => {
    const objects = memoryObjects()
    const records = tradeRecords(0, 30, 10)
    await drained(quick, records, objects)
    const log = new DeltaLog(objects, 'trade', parquet.checkpoint)
    await log.refresh()
    const [file, ...rest] = log.files()
    const { path, partitionValues, size } = file!
    expect(
      await log.commit([
        {
          remove: {
            path,
            partitionValues,
            size,
            deletionTimestamp: 1,
            dataChange: false,
            extendedFileMetadata: true,
          },
        },
      ]),
    ).toBe(true)
    const reader = new DeltaLog(objects, 'trade', parquet.checkpoint)
    await reader.refresh()
    expect(reader.files()).toEqual(rest)
    objects.objects.set(
      `trade/_delta_log/${String(log.version + 1).padStart(20, '0')}.json`,
      encodeCommit([{ protocol: { minReaderVersion: 3, minWriterVersion: 7 } }]),
    )
    await expect(reader.refresh()).rejects.toMatchObject({ code: 'KT3401' })
  })

  test('holds lists, flags and missing values as the log has them', async () => {
    const base = {
      venue: 'v',
      instrument: 'v:spot:A-B',
      time: EVENING,
      received: EVENING,
      first: null,
      last: 7,
      origin: 'stream',
      horizon: 0,
    }
    const rows = [
      { ...base, snapshot: true, bidPrices: [1.5, 1.25], bidSizes: [1, 2], askPrices: [], askSizes: [] },
      {
        ...base,
        snapshot: false,
        first: 2 ** 53 - 1,
        bidPrices: [],
        bidSizes: [],
        askPrices: [0.1 + 0.2],
        askSizes: [0],
      },
    ]
    const objects = memoryObjects()
    await runLake(
      runOf({
        sink: lake(bookDelta),
        topic: 'd',
        log: memoryLog(recordsOf(bookDelta, 'd', 1, [rows])),
        objects,
      }),
    ).drain()
    const path = [...objects.objects.keys()].find((name) => name.includes('/dt='))!
    expect(path).toBe('book_delta/dt=2026-01-01/d-1-00000000000000000000-00000000000000000000.parquet')
    const found = [...tableFromIPC(readParquet(objects.objects.get(path)!).intoIPCStream())].map((row) =>
      row!.toJSON(),
    )
    expect(
      found.map((row) => [
        row['snapshot'],
        row['first'],
        [...(row['bid_prices'] as Float64Array)],
        [...(row['ask_prices'] as Float64Array)],
      ]),
    ).toEqual([
      [true, null, [1.5, 1.25], []],
      [false, 9007199254740991n, [], [0.1 + 0.2]],
    ])
  })
})

