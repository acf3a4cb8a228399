import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLake } from '../../cli/lake.ts'
import { checkTable } from '../../cli/lake-check.ts'
import { lakeName, openForWriting, openStore } from '../../cli/lake-store.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { parquet } from '../../sinks/driver/parquet.ts'
import { DeltaLog } from '../../sinks/lake/delta.ts'
import { runLake } from '../../sinks/lake/load.ts'
import { kt, start } from '../e2e/command.ts'
import { writeMarketLake } from '../market-lake.ts'
import { s3There, startS3 } from '../s3-server.ts'
import type { S3Server } from '../s3-server.ts'
import { runOf, twoPartitions } from '../sinks/lake-check.ts'
import { memoryLog } from '../sinks/lake-world.ts'

const roots: string[] = []
const root = (): string => {
  roots.push(mkdtempSync(join(tmpdir(), 'kt-lake-cli-')))
  return roots.at(-1)!
}
afterAll(() => roots.forEach((one) => rmSync(one, { recursive: true, force: true })))

const loaded = async (): Promise<string> => {
  const folder = root()
  const log = memoryLog(twoPartitions(60))
  await runLake(runOf({ cut: 'events', log, objects: fileStore(folder) })).drain()
  return folder
}

const json = async (...args: readonly string[]): Promise<unknown> =>
  JSON.parse((await kt('lake', ...args, '--json')).out)

describe('kt lake', () => {
  test(
    'lists, tells, joins, removes, copies and checks the tables of a folder',
    { timeout: 120_000 },
    async () => {
      const [folder, copy] = [root(), root()]
      await writeMarketLake(fileStore(folder), 3)
      const at = ['--lake', folder]
      const { tables } = (await json('ls', ...at)) as {
        tables: { table: string; files: number; rows: number }[]
      }
      const trades = tables.find(({ table }) => table === 'trade')!
      expect(trades.files).toBeGreaterThan(2)
      expect(await json('stats', 'trade', ...at)).toMatchObject([
        { dt: '2026-01-05', files: trades.files, small: trades.files },
      ])
      const [about] = (await json('schema', 'trade', ...at)) as {
        fields: { name: string }[]
        configuration: object
      }[]
      expect(about!.fields.map(({ name }) => name)).toContain('price')
      expect(about!.configuration).toMatchObject({ 'kt.schema': 'trade/1' })
      expect(await json('compact', 'trade', ...at)).toMatchObject([
        { files: trades.files, rows: trades.rows },
      ])
      const dry = (await json('vacuum', 'trade', '--retain', '0s', '--dry-run', ...at)) as { files: string[] }
      expect(dry.files).toHaveLength(trades.files)
      expect(await json('vacuum', 'trade', '--retain', '0s', ...at)).toMatchObject({ files: dry.files })
      await json('pull', '--to', copy, ...at)
      for (const place of [folder, copy]) {
        const checked = (await json('verify', '--lake', place)) as {
          ok: boolean
          tables: { table: string; rows: number }[]
        }
        expect(checked.ok).toBe(true)
        expect(checked.tables.map(({ table, rows }) => [table, rows])).toEqual(
          tables.map(({ table, rows }) => [table, rows]),
        )
      }
      expect((await kt('lake', 'stats', 'nothing', ...at)).err).toContain('KT6421')
      expect((await kt('lake', 'vacuum', '--retain', '8d', ...at)).err).toContain('KT3406')
      expect((await kt('lake', 'compact', '--dt', '2026-02-30', ...at)).err).toContain('KT6417')
      expect((await kt('lake', 'pull', ...at)).err).toContain('KT6422')
    },
  )

  const found = async (folder: string): Promise<readonly string[]> => {
    const reader = await openLake(folder)
    try {
      return (await checkTable(fileStore(folder), reader, 'trade')).findings
    } finally {
      reader.close()
    }
  }
  const partOf = (folder: string, wanted: RegExp): string =>
    readdirSync(join(folder, 'trade'), { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, 'trade', name))
      .toSorted()
      .find((name) => wanted.test(name))!

  test('finds a file that is gone, cut off or overwritten', async () => {
    const folder = await loaded()
    expect(await found(folder)).toEqual([])
    const file = partOf(folder, /dt=.*\.parquet$/)
    const bytes = readFileSync(file)
    truncateSync(file, bytes.length - 1)
    const reader = await openStore(folder)
    const check = () =>
      checkTable(reader.objects, { query: () => Promise.reject(new Error('not asked')) }, 'trade')
    expect((await check()).findings).toEqual([expect.stringContaining(`has ${bytes.length - 1} bytes`)])
    writeFileSync(file, new Uint8Array(bytes.length))
    expect((await check()).findings).toEqual([expect.stringContaining('does not end as Parquet does')])
    rmSync(file)
    expect((await check()).findings).toEqual([expect.stringContaining('is listed and not there')])
  })

  test('finds rows that are there twice or too early, and a log with a hole', async () => {
    const folder = await loaded()
    const log = new DeltaLog(fileStore(folder), 'trade', parquet.checkpoint)
    await log.refresh()
    const [first] = log.files()
    const again = { ...first!, path: first!.path.replace('.parquet', '-0.parquet') }
    const store = fileStore(folder)
    await store.put(`trade/${again.path}`, (await store.get(`trade/${first!.path}`))!)
    await log.commit([{ add: again }])
    expect(await found(folder)).toEqual([expect.stringMatching(/trade\/0 has \d+ rows twice/)])
    await log.commit([{ txn: { appId: 'kt/lake.trade/trade/1', version: 3, lastUpdated: 0 } }])
    expect((await found(folder)).join()).toContain('trade/1 has rows beyond its position')
    rmSync(partOf(folder, new RegExp(`${String(log.version - 1).padStart(20, '0')}.json`)))
    const check = await checkTable(store, { query: () => Promise.reject(new Error('not asked')) }, 'trade')
    expect(check.findings).toEqual([expect.stringContaining('KT3402')])
  })

  test('finds a checkpoint that says something else than the commits', async () => {
    const folder = await loaded()
    const store = fileStore(folder)
    const path = (await store.list('trade/_delta_log/'))
      .filter((one) => one.endsWith('.checkpoint.parquet'))
      .at(-1)!
    const actions = parquet.checkpoint.decode((await store.get(path))!)
    await store.put(path, parquet.checkpoint.encode(actions.filter((one) => !('txn' in one))))
    expect(await found(folder)).toEqual([expect.stringContaining('the commits say different things')])
  })
})

describe.skipIf(!s3There)('a lake in S3', () => {
  let server: S3Server
  const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'KT_LAKE'] as const
  beforeAll(async () => {
    server = await startS3()
    process.env['AWS_ACCESS_KEY_ID'] = server.credentials.accessKeyId
    process.env['AWS_SECRET_ACCESS_KEY'] = server.credentials.secretAccessKey
  }, 120_000)
  afterAll(async () => {
    for (const name of names) delete process.env[name]
    await server.stop()
  })

  test(
    'is found by later commands in the folder of the run, pulled, and never mixed with another',
    { timeout: 60_000 },
    async () => {
      const { bucket } = await server.bucket()
      const folder = root()
      process.env['KT_LAKE'] = `s3://${bucket}/lake?endpoint=${server.endpoint}`
      expect(lakeName(folder)).toBe(`s3://${bucket}/lake`)
      const store = await openForWriting(folder)
      const run = (records: number) =>
        runLake(runOf({ log: memoryLog(twoPartitions(records)), objects: store.objects })).drain()
      await run(10)
      delete process.env['KT_LAKE']
      expect((await openForWriting(folder)).name).toBe(`s3://${bucket}/lake`)
      expect(lakeName(folder)).toBe(`s3://${bucket}/lake`)
      for (const records of [10, 20, 40]) {
        await run(records)
        const reader = await openLake(folder)
        expect((await reader.query('select count(*) as n from trade')).rows).toEqual([{ n: 20 * records }])
        reader.close()
      }
      expect(await json('verify', '--lake', folder)).toMatchObject({
        ok: true,
        tables: [{ table: 'trade', rows: 800 }],
      })
      process.env['KT_LAKE'] = `s3://${bucket}/other?endpoint=${server.endpoint}`
      await expect(openForWriting(folder)).rejects.toMatchObject({ code: 'KT6426' })
      await expect(openForWriting(await loaded())).rejects.toMatchObject({ code: 'KT6426' })
      store.close()
    },
  )

  test('that was begun anew is not read as what was pulled of the old one', async () => {
    const { bucket } = await server.bucket()
    const folder = root()
    process.env['KT_LAKE'] = `s3://${bucket}?endpoint=${server.endpoint}`
    const store = await openForWriting(folder)
    delete process.env['KT_LAKE']
    for (const records of [10, 14]) {
      for (const path of await store.objects.list('')) await store.objects.remove(path)
      await runLake(runOf({ log: memoryLog(twoPartitions(records)), objects: store.objects })).drain()
      const reader = await openLake(folder)
      expect((await reader.query('select count(*) as n from trade')).rows).toEqual([{ n: 20 * records }])
      reader.close()
    }
    store.close()
  })
})

test('a lake that cannot be is said before anything starts, and one that does not answer with its exit code', async () => {
  const folder = root()
  const keys = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }
  const run = ['graph', 'run', 'graph/basis.ts', '--source', 'sim', '--data', folder]
  const wrong = await start(run, { ...keys, KT_LAKE: 's3://L' }).ended
  expect([wrong.code, wrong.err, readdirSync(folder)]).toEqual([64, expect.stringContaining('KT6420'), []])
  const nobody = 's3://lakes?endpoint=http://127.0.0.1:1'
  const silent = await start(['lake', 'ls', '--lake', nobody], keys).ended
  expect([silent.code, silent.err]).toEqual([69, expect.stringContaining('KT3020')])
})
