import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { brotliCompressSync, deflateSync, gzipSync, gunzipSync, zstdCompressSync } from 'node:zlib'
import type { IncomingMessage } from 'node:http'
import { ClickHouseError } from '@clickhouse/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { basic, insertBytes, rowsOf, start } from './chdb-start.ts'

const started = await start({ spoolMaxBytes: 64 << 20, queryMaxSeconds: 60 })
afterAll(() => started?.end())

describe.skipIf(started === undefined)('embedded ClickHouse (skipped where chdb is not installed)', () => {
  if (started === undefined) return
  const { chdb, password } = started
  const client = started.client()
  const post = (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    fetch(chdb.url + path, { method: 'POST', body, headers: { ...basic(password(), chdb.user), ...headers } })
  const text = async (query: string, path = '/') => (await post(path, query)).text()

  beforeAll(async () => {
    await client.command({
      query: 'CREATE TABLE t (id UInt64, price Float64, name String) ENGINE = MergeTree ORDER BY id',
    })
    await client.command({
      query: `CREATE TABLE once (id UInt64) ENGINE = MergeTree ORDER BY id
        SETTINGS non_replicated_deduplication_window = 100`,
    })
  })

  test('answers ping without a password, as load balancers ask', async () => {
    expect((await client.ping()).success).toBe(true)
    expect(await (await fetch(`${chdb.url}/ping`)).text()).toBe('Ok.\n')
    expect(await (await fetch(`${chdb.url}/replicas_status`)).text()).toBe('Ok.\n')
  })

  test('inserts JSON rows and says how many it wrote', async () => {
    const values = Array.from({ length: 1000 }, (_, id) => ({ id, price: id / 4, name: `n${id % 3}` }))
    const { summary } = await client.insert({ table: 't', values, format: 'JSONEachRow' })
    expect(summary?.written_rows).toBe('1000')
    expect(await rowsOf(client, 'SELECT count(), sum(price), uniq(name) FROM t WHERE id < 1000')).toEqual([
      ['1000', 124875, '3'],
    ])
  })

  test('inserts by every road of a statement and its rows: URL, body, both', async () => {
    await client.command({
      query: "CREATE TABLE roads (a UInt8, b String DEFAULT 'd') ENGINE = MergeTree ORDER BY a",
    })
    await text("INSERT INTO roads VALUES (1, 'x\n\n;y'), (2, concat('a', 'b'))")
    await text("(3, ')')", '/?query=INSERT+INTO+roads+VALUES')
    await text('INSERT INTO kt.roads (a) FORMAT JSONEachRow {"a":4}\n\n{"a":5}')
    await text('6\n7\n', '/?query=INSERT+INTO+roads+(a)+SETTINGS+async_insert=0+FORMAT+TSV')
    await text('{"a":8}', '/?query=INSERT+INTO+roads&default_format=JSONEachRow')
    await text("INSERT INTO roads -- VALUES\n/* FORMAT CSV */ SELECT 9, 'FORMAT CSV'")
    await text('INSERT INTO roads (SELECT 10, toString(1))')
    await text('INSERT INTO roads (a) FORMAT TSV', '/')
    const rows = await rowsOf(client, 'SELECT a, b FROM roads ORDER BY a')
    expect(rows).toEqual([
      [1, 'x\n\n;y'],
      [2, 'ab'],
      [3, ')'],
      [4, 'd'],
      [5, 'd'],
      [6, 'd'],
      [7, 'd'],
      [8, 'd'],
      [9, 'FORMAT CSV'],
      [10, '1'],
    ])
  })

  test('keeps binary rows whole, blank lines in them included', async () => {
    await client.command({ query: 'CREATE TABLE bytes (n UInt16) ENGINE = MergeTree ORDER BY n' })
    const numbers = new Uint16Array(5000).fill(0x0a0a)
    numbers[4999] = 0xc3ff
    const summary = await insertBytes(
      client,
      'INSERT INTO bytes FORMAT RowBinary',
      new Uint8Array(numbers.buffer),
    )
    expect(summary?.written_rows).toBe('5000')
    expect(await rowsOf(client, 'SELECT n, count() FROM bytes GROUP BY n ORDER BY n')).toEqual([
      [0x0a0a, '4999'],
      [0xc3ff, '1'],
    ])
  })

  test('drops a second insert under the same token', async () => {
    const clickhouse_settings = { insert_deduplication_token: 'sink/topic/0/1-2' }
    for (const id of [1, 1])
      await client.insert({ table: 'once', values: [{ id }], format: 'JSONEachRow', clickhouse_settings })
    await client.insert({ table: 'once', values: [{ id: 2 }], format: 'JSONEachRow', clickhouse_settings })
    expect(await rowsOf(client, 'SELECT id FROM once')).toEqual([['1']])
  })

  test('makes one part of one insert, however long', async () => {
    await client.command({ query: 'CREATE TABLE big (id UInt64) ENGINE = MergeTree ORDER BY id' })
    const ids = new Uint8Array(BigUint64Array.from({ length: 1_100_000 }, (_, id) => BigInt(id)).buffer)
    const answer = await post('/?query=INSERT+INTO+big+FORMAT+RowBinary', ids)
    expect(JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '{}')).toMatchObject({
      written_rows: '1100000',
    })
    const parts = "SELECT rows FROM system.parts WHERE database = 'kt' AND table = 'big' AND level = 0"
    expect(await rowsOf(client, parts)).toEqual([['1100000']])
  })

  test('syncs parts to disk by default', async () => {
    const query =
      "SELECT value FROM system.merge_tree_settings WHERE name LIKE 'fsync_%r%' ORDER BY name LIMIT 2"
    expect(await rowsOf(client, query)).toEqual([['1'], ['1']])
  })

  test('binds parameters: arrays, nulls, quotes, tabs, dates, names', async () => {
    const query = `SELECT {a:Array(String)} a, {n:Nullable(Int8)} n, {s:String} s, {d:DateTime64(3)} d,
      {i:Identifier} i FROM (SELECT 1 AS x)`
    const s = `it's "a" \\ tab\tline\nπ`
    const query_params = { a: ["x'y", '\\', ''], n: null, s, d: new Date(1_760_000_000_123), i: 'x' }
    const [row] = await rowsOf(client, query, {
      query_params,
      clickhouse_settings: { session_timezone: 'UTC' },
    })
    expect(row).toEqual([["x'y", '\\', ''], null, s, '2025-10-09 08:53:20.123', 1])
  })

  test('quotes what a double cannot hold, and no setting leaks into the next request', async () => {
    const query = "SELECT 18446744073709551615, toDecimal64('1.10', 2), getSetting('max_threads') = 1"
    const [one] = await rowsOf(client, query, { clickhouse_settings: { max_threads: 1 } })
    expect(one).toEqual(['18446744073709551615', '1.1', 1])
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => rowsOf(client, "SELECT getSetting('max_threads') = 1")),
    )
    expect(new Set(answers.flat(2))).toEqual(new Set([0]))
  })

  test('compresses both ways, in every encoding of HTTP', async () => {
    const zipped = started.client({ compression: { request: true, response: true } })
    await zipped.insert({ table: 't', values: [{ id: 9000, price: 1, name: 'z' }], format: 'JSONEachRow' })
    expect(await rowsOf(zipped, 'SELECT name FROM t WHERE id = 9000')).toEqual([['z']])
    const encoders = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync }
    for (const [encoding, encode] of Object.entries(encoders)) {
      const answer = await post('/', new Uint8Array(encode('SELECT 6 * 7')), { 'content-encoding': encoding })
      expect(await answer.text()).toBe('42\n')
    }
    const refused = await post('/', 'SELECT 1', { 'content-encoding': 'snappy' })
    expect([refused.status, refused.headers.get('x-clickhouse-exception-code')]).toEqual([501, '48'])
    const raw = await new Promise<Buffer>((resolve, reject) => {
      const headers = { ...basic(password(), chdb.user), 'accept-encoding': 'gzip' }
      const take = async (answer: IncomingMessage) => resolve(Buffer.concat(await answer.toArray()))
      get(
        `${chdb.url}/?enable_http_compression=1&query=SELECT+1`,
        { headers },
        (answer) => void take(answer),
      ).on('error', reject)
    })
    expect(gunzipSync(raw).toString()).toBe('1\n')
  })

  test('streams two million rows without holding them', async () => {
    const answer = await client.query({ query: 'SELECT number FROM numbers(2000000)', format: 'JSONEachRow' })
    let rows = 0
    const resident = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${chdb.pid}/status`, 'utf8'))?.[1]) / 1024
    const before = process.platform === 'linux' ? resident() : 0
    for await (const batch of answer.stream()) rows += batch.length
    expect(rows).toBe(2_000_000)
    if (process.platform === 'linux') expect(resident() - before).toBeLessThan(150)
  })

  test.each([
    ['JSONCompactEachRowWithNamesAndTypes', 2],
    ['JSONCompactEachRowWithNames', 1],
    ['TabSeparatedWithNamesAndTypes', 2],
  ])('says names and types once, before all blocks of an answer in %s', async (format, heads) => {
    const read = async (rows: number) =>
      (await text(`SELECT number AS n, 'a\nb' AS s FROM numbers(${rows}) FORMAT ${format}`))
        .trimEnd()
        .split('\n')
    const lines = await read(300_000)
    expect(lines).toHaveLength(300_000 + heads)
    expect(lines.filter((line) => line.includes('n') && !/\d/.test(line))).toEqual([lines[0]])
    expect(await read(0)).toEqual(lines.slice(0, heads))
  })

  test('gives whole documents in formats that have a beginning and an end', async () => {
    const answer = await client.query({ query: 'SELECT number FROM numbers(200000)', format: 'JSON' })
    expect((await answer.json<{ number: string }>()).rows).toBe(200_000)
  })

  test('says what went wrong with code, type and status', async () => {
    const failure = await client.query({ query: 'SELECT nope' }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ClickHouseError)
    expect(failure).toMatchObject({ code: '47', type: 'UNKNOWN_IDENTIFIER' })
    const statuses = await Promise.all(
      ['SELEC', 'SELECT * FROM nowhere', 'DROP DATABASE nowhere'].map((sql) => post('/', sql)),
    )
    expect(statuses.map(({ status }) => status)).toEqual([400, 404, 404])
    expect((await post('/?no_such_setting=1', 'SELECT 1')).status).toBe(404)
    const bad = await client
      .insert({ table: 't', values: ['{"id":"x"}'], format: 'JSONEachRow' })
      .catch((error: unknown) => error)
    expect(bad).toBeInstanceOf(ClickHouseError)
  })

  test('reports an error that comes after the first rows', async () => {
    const query = 'SELECT throwIf(number = 300000) FROM numbers(500000)'
    const answer = await client.query({ query, format: 'JSONEachRow' })
    const reading = (async () => {
      for await (const _ of answer.stream()) continue
    })()
    await expect(reading).rejects.toMatchObject({ type: 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO' })
    await expect(text(query)).rejects.toThrow()
  })

  test('ends the query of a client that went away, also while it plans', async () => {
    for (const query of ['SELECT count() FROM numbers(1e13)', 'SELECT (SELECT count() FROM numbers(1e13))']) {
      const controller = new AbortController()
      const asked = client.query({ query, abort_signal: controller.signal }).catch(() => 'aborted')
      await expect.poll(() => rowsOf(client, running), { timeout: 5000 }).toEqual([['1']])
      controller.abort()
      expect(await asked).toBe('aborted')
      await expect.poll(() => rowsOf(client, running), { timeout: 5000 }).toEqual([['0']])
    }
  })
  const running =
    "SELECT count() FROM system.processes WHERE query LIKE '%1e13%' AND query NOT LIKE '%system%'"

  test('kills by the id that the client gave', async () => {
    const asked = client
      .query({ query: 'SELECT count() FROM numbers(1e13)', query_id: 'mine' })
      .catch((error: unknown) => error)
    await expect.poll(() => rowsOf(client, running), { timeout: 5000 }).toEqual([['1']])
    const same = await client.query({ query: 'SELECT 1', query_id: 'mine' }).catch((error: unknown) => error)
    expect(same).toMatchObject({ code: '216' })
    await client.command({ query: "KILL QUERY WHERE query_id = 'mine' SYNC" })
    expect(await asked).toMatchObject({ code: '394' })
  })

  test('keeps temporary tables in a session and nowhere else', async () => {
    const session_id = 'kept'
    await client.command({ query: 'CREATE TEMPORARY TABLE temporary (a UInt8)', session_id })
    await client.command({
      query: 'INSERT INTO temporary VALUES (1), (2)',
      session_id,
      clickhouse_settings: { max_threads: 1 },
    })
    const query = "SELECT sum(a), any(getSetting('max_threads') = 1) FROM temporary"
    expect(await rowsOf(client, query, { session_id })).toEqual([['3', 0]])
    await expect(rowsOf(client, 'SELECT sum(a) FROM temporary')).rejects.toMatchObject({
      type: 'UNKNOWN_TABLE',
    })
  })

  test('talks to curl', () => {
    const curl = (...more: string[]) =>
      execFileSync('curl', ['-sS', '-u', `${chdb.user}:${password()}`, chdb.url, ...more], {
        encoding: 'utf8',
      })
    expect(curl('--data-binary', 'SELECT 1 + 1')).toBe('2\n')
    expect(curl('--compressed', '--data-binary', "SELECT 'a', NULL FORMAT CSV")).toBe('"a",\\N\n')
  })
})
