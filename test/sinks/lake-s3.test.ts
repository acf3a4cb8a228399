import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pullTable, tablesOf } from '../../cli/lake-pull.ts'
import type { ObjectArchive } from '../../graph/port.ts'
import { trade } from '../../market/event.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { s3Store } from '../../runtime/driver/s3.ts'
import type { S3Options, S3Place } from '../../runtime/driver/s3.ts'
import { queryLake } from '../../sinks/driver/duckdb.ts'
import { duckMerger } from '../../sinks/driver/lake-merge.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { lake } from '../../sinks/lake.ts'
import { compacted, mergesOf } from '../../sinks/lake/compact.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { vacuumed } from '../../sinks/lake/vacuum.ts'
import { randomOf } from '../random.ts'
import { faultProxy } from '../s3-proxy.ts'
import type { Fault } from '../s3-proxy.ts'
import { s3There, startS3 } from '../s3-server.ts'
import type { S3Server } from '../s3-server.ts'
import { rowsInLake, rowsInLog, runOf, twoPartitions } from './lake-check.ts'
import { memoryLog, tradeRecords } from './lake-world.ts'

/** More seeds on demand: `S3_SEEDS=20 vitest run test/sinks/lake-s3.test.ts`. */
const SEEDS = Number(process.env['S3_SEEDS'] ?? 1)
/** More on demand: `LAKE_KILLS=50`. */
const KILLS = Number(process.env['LAKE_KILLS'] ?? 3)
const clock = systemClock()
const merger = duckMerger()
const folder = mkdtempSync(join(tmpdir(), 'kt-lake-s3-'))
let server: S3Server

describe.skipIf(!s3There)('a lake in S3', () => {
  beforeAll(async () => void (server = await startS3()), 120_000)
  afterAll(async () => {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const open = (place: S3Place, options: Partial<S3Options> = {}) =>
    s3Store(place, { clock, random: { below: randomOf(1) }, credentials: server.credentials, ...options })

  const logOf = async (objects: ObjectArchive): Promise<DeltaLog> => {
    const log = new DeltaLog(objects, 'trade', parquet.checkpoint)
    await log.refresh()
    return log
  }

  test(
    'has every row once, with two zombies on each partition, a compactor, a vacuum, and faults on every way',
    { timeout: 180_000 },
    async () => {
      const faults: readonly Fault[] = [
        '503',
        '409',
        '500',
        'cut',
        'cut after',
        'hang',
        'hang after',
        'cut body',
      ]
      let merged = 0
      for (let seed = 1; seed <= SEEDS; seed++) {
        const below = randomOf(seed)
        const place = await server.bucket('lake')
        const proxy = await faultProxy(server.endpoint, () =>
          below(12) === 0 ? faults[below(faults.length)]! : 'none',
        )
        const patience = { timeoutMs: 300, triesMax: 3, backoffMs: 2 }
        const stores = Array.from({ length: 4 }, () => open({ ...place, endpoint: proxy.endpoint }, patience))
        const records = twoPartitions(16 + below(10), 1 + below(8))
        let over = false
        let merges = 0
        const insist = async (act: () => Promise<unknown>): Promise<void> => {
          while (!over)
            await act().catch(({ code }: { code?: string }) => expect(['KT3020', 'KT3404']).toContain(code))
        }
        const others = [
          insist(async () => {
            const log = await logOf(stores[2]!)
            const merge = mergesOf(log.files(), { filesMin: 3 })[0]
            if (merge !== undefined && (await compacted(log, stores[2]!, merger, clock, merge))) merges++
            await pause(20)
          }),
          insist(async () => {
            const log = await logOf(stores[3]!)
            if (log.version >= 0) await vacuumed(log, stores[3]!, clock, { retainMs: 0 })
            await pause(50)
          }),
        ]
        const loaders = stores.slice(0, 2).map((objects) => {
          const sink = lake(trade, { rollMs: 20 + below(50), rowsMax: 4 + below(20) })
          return runLake(runOf({ sink, clock, objects, log: memoryLog(records, below) }))
        })
        await Promise.all(loaders.map((loader) => loader.drain()))
        const plain = open(place)
        const left = async () => mergesOf((await logOf(plain)).files(), { filesMin: 3 })
        while (merges === 0 && (await left()).length > 0) await pause(20)
        over = true
        await Promise.all(others)
        expect(await rowsInLake(plain), `seed ${seed}`).toEqual(rowsInLog(records))
        merged += merges
        for (const store of [...stores, plain]) store.close()
        await proxy.stop()
      }
      expect(merged).toBeGreaterThan(0)
    },
  )

  /** A loader in its own process, which is killed when `killed` says so, or runs to its end. */
  const loader = (place: S3Place, seed: number, killed?: Promise<void>): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const where = JSON.stringify({ place, credentials: server.credentials })
      const child = spawn(process.execPath, [
        join(import.meta.dirname, 'lake-s3-child.ts'),
        where,
        String(seed),
      ])
      void killed?.then(() => child.kill('SIGKILL'))
      child.on('error', reject)
      child.on('exit', (code, signal) => {
        if (code === 0 || signal === 'SIGKILL') resolve(signal === 'SIGKILL')
        else reject(new Error(`the loader ended with ${code}`))
      })
    })

  test('has every row once after kill -9 of two loaders at a time', { timeout: 120_000 }, async () => {
    const place = await server.bucket('killed')
    const objects = open(place)
    const below = randomOf(5)
    let kills = 0
    const written = async (more: number): Promise<void> => {
      const before = (await objects.list('')).length
      for (let tries = 0; tries < 400 && (await objects.list('')).length < before + more; tries++)
        await pause(5)
    }
    for (let round = 0; round < KILLS; round++) {
      const two = [0, 1].map((one) => loader(place, 2 * round + one, written(2 + below(8))))
      kills += (await Promise.all(two)).filter(Boolean).length
      const log = await logOf(objects)
      for (const merge of mergesOf(log.files())) await compacted(log, objects, merger, clock, merge)
    }
    await loader(place, 100)
    expect(kills).toBeGreaterThan(KILLS)
    const records = [0, 1].flatMap((partition) => tradeRecords(partition, 120, 5, 500))
    expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
    objects.close()
  })

  /** What each reader says: rows, offsets, places in records, newest and oldest time. */
  type Said = readonly string[]

  const ours = async (objects: ObjectArchive, at: string): Promise<Said> => {
    for (const table of await tablesOf(objects)) await pullTable(objects, at, table)
    const local = {
      objects: fileStore(at),
      place: (path: string) => join(at, path),
      schemas: [trade],
      views: [],
    }
    const { rows } = await queryLake(
      local,
      'select count(*), sum(_off), sum(_row), max(epoch_us(received)), min(epoch_us(received)), sum(price) from trade',
    )
    return Object.values(rows[0]!).map(String)
  }

  const clickhouse = (place: S3Place): Said => {
    const { accessKeyId, secretAccessKey } = server.credentials
    const of = `deltaLake('${place.endpoint}/${place.bucket}/${place.prefix}/trade', '${accessKeyId}', '${secretAccessKey}')`
    const sql = `select count(), sum(_off), sum(_row), max(toUnixTimestamp64Micro(received)), min(toUnixTimestamp64Micro(received)), sum(price) from ${of}`
    const child = spawnSync(process.execPath, [join(import.meta.dirname, 'lake-chdb.mjs')], {
      cwd: folder,
      input: JSON.stringify([sql]),
    })
    if (child.status !== 0) throw new Error(String(child.stderr))
    return Object.values((JSON.parse(String(child.stdout)) as object[][])[0]![0]!).map(String)
  }

  const python = process.env['KT_PYTHON'] ?? 'python3'
  const importable = spawnSync(python, ['-c', 'import deltalake, pyarrow, polars']).status === 0
  const SCRIPT = `
import sys, json
import pyarrow.compute as pc, polars as pl
from deltalake import DeltaTable
uri, options = sys.argv[1], json.loads(sys.argv[2])
table = DeltaTable(uri, storage_options=options)
arrow = table.to_pyarrow_table()
us = [int(v) for v in pc.cast(arrow['received'], 'int64').to_pylist()]
print(json.dumps([[str(v) for v in (arrow.num_rows, pc.sum(arrow['_off']).as_py(), pc.sum(arrow['_row']).as_py(), max(us), min(us), pc.sum(arrow['price']).as_py())]]))
frame = pl.read_delta(uri, storage_options=options)
us = frame['received'].dt.epoch('us')
print(json.dumps([[str(v) for v in (frame.height, frame['_off'].sum(), frame['_row'].cast(pl.Int64).sum(), us.max(), us.min(), frame['price'].sum())]]))
print(json.dumps([[f'{f.name} {f.type}' for f in arrow.schema], table.transaction_version('kt/lake.trade/trade/0'), table.version()]))
`
  const delta = (place: S3Place): readonly (readonly unknown[])[] => {
    const { accessKeyId, secretAccessKey } = server.credentials
    const options = {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_ENDPOINT_URL: place.endpoint,
      AWS_REGION: place.region,
      AWS_ALLOW_HTTP: 'true',
    }
    const uri = `s3://${place.bucket}/${place.prefix}/trade`
    const child = spawnSync(python, ['-c', SCRIPT, uri, JSON.stringify(options)])
    const lines = String(child.stdout).trim().split('\n')
    if (lines.length < 3) throw new Error(String(child.stderr))
    return lines.map((line) => JSON.parse(line) as unknown[])
  }

  const chdb = ((): boolean => {
    try {
      createRequire(import.meta.url).resolve('chdb')
      return true
    } catch {
      return false
    }
  })()

  test(
    'reads the same everywhere: as loaded, compacted, from its checkpoint alone, and vacuumed',
    { timeout: 240_000 },
    async () => {
      const place = await server.bucket('deep/lake')
      const objects = open(place)
      const records = twoPartitions(60)
      await runLake(runOf({ cut: 'events', log: memoryLog(records), objects })).drain()
      const position = Number((await logOf(objects)).mark('kt/lake.trade/trade/0'))
      let types: unknown
      const look = async (step: string): Promise<void> => {
        const expected = await ours(objects, join(folder, 'pulled'))
        expect(expected[0], step).toBe('1200')
        if (chdb) expect(clickhouse(place), step).toEqual(expected)
        if (!importable) return
        const [arrow, polars, about] = delta(place)
        const near = (said: unknown): unknown => {
          const texts = (said as string[][])[0]!
          return [...texts.slice(0, 5), Number(texts[5]).toPrecision(12)]
        }
        for (const said of [arrow, polars]) expect(near(said), step).toEqual(near([expected]))
        expect(about![1], step).toBe(position)
        types ??= about![0]
        expect(about![0], step).toEqual(types)
      }
      await look('as loaded')
      // A writer checkpoints every fifth version: the next commits bring one behind the compaction.
      const log = new DeltaLog(objects, 'trade', parquet.checkpoint, 1)
      await log.refresh()
      for (const merge of mergesOf(log.files()))
        expect(await compacted(log, objects, merger, clock, merge)).toBeDefined()
      expect(log.fileCount).toBe(2)
      await look('compacted')
      for (const path of await objects.list('trade/_delta_log/')) {
        const version = Number(/(\d{20})\./.exec(path)?.[1] ?? Number.NaN)
        const newest = path.endsWith('.checkpoint.parquet') && version === log.version
        if (!newest && !path.endsWith('_last_checkpoint')) await objects.remove(path)
      }
      expect((await objects.list('trade/_delta_log/')).length).toBe(2)
      await look('from its checkpoint alone')
      expect((await vacuumed(await logOf(objects), objects, clock, { retainMs: 0 })).length).toBeGreaterThan(
        5,
      )
      await look('vacuumed')
      expect(await rowsInLake(objects)).toEqual(rowsInLog(records))
      const again = runLake(runOf({ log: memoryLog(records), objects }))
      await again.drain()
      expect(again.status()[0]).toMatchObject({ rows: 0 })
      objects.close()
    },
  )
})
