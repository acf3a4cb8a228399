import { rmSync, statSync } from 'node:fs'
import { get } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { basic, rowsOf, start } from './chdb-start.ts'

const started = await start({ spoolMaxBytes: 16 << 20, queryMaxSeconds: 60 })
afterAll(() => started?.end())

describe.skipIf(started === undefined)(
  'guards of embedded ClickHouse (skipped where chdb is not installed)',
  () => {
    if (started === undefined) return
    const { chdb, password } = started
    const client = started.client()
    const post = (
      path: string,
      body: string | Uint8Array<ArrayBuffer>,
      headers: Record<string, string> = {},
    ) => fetch(chdb.url + path, { method: 'POST', body, headers: { ...basic(password()), ...headers } })
    const text = async (query: string, path = '/') => (await post(path, query)).text()

    beforeAll(async () => {
      await client.command({
        query: 'CREATE TABLE t (id UInt64, price Float64, name String) ENGINE = MergeTree ORDER BY id',
      })
    })

    test('lowers its bounds on request, and never raises them', async () => {
      const query = "SELECT getSetting('max_execution_time'), getSetting('max_memory_usage') > 1e9"
      const ask = (clickhouse_settings: object) => rowsOf(client, query, { clickhouse_settings })
      expect(await ask({ max_execution_time: 2 })).toEqual([[2, 1]])
      expect(await ask({ max_execution_time: 0, max_memory_usage: '0' })).toEqual([[60, 1]])
      const memory = { max_memory_usage: '20000000' }
      const hungry = 'SELECT groupArray(number) FROM numbers(10000000) FORMAT Null'
      await expect(client.command({ query: hungry, clickhouse_settings: memory })).rejects.toMatchObject({
        code: '241',
      })
    })

    test('runs more queries than threads by letting them wait', async () => {
      const asked = Array.from({ length: 24 }, (_, n) =>
        rowsOf(started.client({ max_open_connections: 30 }), `SELECT ${n}, sleep(0.05)`),
      )
      expect((await Promise.all(asked)).map(([row]) => row)).toEqual(asked.map((_, n) => [n, 0]))
    })

    test('refuses what it cannot do with a sentence', async () => {
      for (const sql of [
        "INSERT INTO t FROM INFILE '/etc/hostname' FORMAT TSV",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
      ]) {
        const answer = await post('/', sql)
        expect([answer.status, await answer.text()]).toEqual([
          501,
          expect.stringMatching(/^Code: 48\. DB::Exception: .+\(NOT_IMPLEMENTED\)/),
        ])
      }
      const get_ = await fetch(`${chdb.url}/?query=DROP+TABLE+t`, { headers: basic(password()) })
      expect([get_.status, get_.headers.get('x-clickhouse-exception-code')]).toEqual([403, '164'])
    })

    test('lets in who knows the password, however it is given, and tells others where it is', async () => {
      const ways: readonly (readonly [string, Record<string, string>])[] = [
        ['/?query=SELECT+1', basic(password())],
        ['/?query=SELECT+1', { 'x-clickhouse-user': 'default', 'x-clickhouse-key': password() }],
        [`/?query=SELECT+1&user=default&password=${password()}`, {}],
      ]
      for (const [path, headers] of ways)
        expect(await (await fetch(chdb.url + path, { headers })).text()).toBe('1\n')
      for (const wrong of [
        {},
        basic('nope'),
        { 'x-clickhouse-user': 'admin', 'x-clickhouse-key': password() },
      ]) {
        const answer = await fetch(`${chdb.url}/?query=SELECT+1`, {
          headers: wrong as Record<string, string>,
        })
        expect([answer.status, answer.headers.get('x-clickhouse-exception-code')]).toEqual([401, '516'])
        expect(await answer.text()).toContain(chdb.passwordFile)
      }
      await expect(rowsOf(started.client({ password: 'nope' }), 'SELECT 1')).rejects.toMatchObject({
        code: '516',
      })
      expect(statSync(chdb.passwordFile).mode & 0o777).toBe(0o600)
    })

    test('answers no web page: neither a foreign Host nor a foreign Origin', async () => {
      const status = (headers: Record<string, string>) =>
        new Promise((resolve) =>
          get(`${chdb.url}/?query=SELECT+1`, { headers: { ...basic(password()), ...headers } }, (answer) =>
            resolve(answer.statusCode),
          ),
        )
      expect(await status({ host: 'evil.example:8123' })).toBe(403)
      expect(await status({ origin: 'https://evil.example' })).toBe(403)
      expect(await status({ host: 'localhost:8123' })).toBe(200)
    })

    test('refuses a body that is too large, and neighbours do not notice', async () => {
      const neighbours = Array.from({ length: 5 }, (_, id) =>
        client.insert({
          table: 't',
          values: [{ id: 5000 + id, price: 1, name: 'neighbour' }],
          format: 'JSONEachRow',
        }),
      )
      const huge = await post('/?query=INSERT+INTO+t+FORMAT+RowBinary', new Uint8Array(17 << 20))
      expect([huge.status, huge.headers.get('x-clickhouse-exception-code')]).toEqual([413, '307'])
      const bomb = gzipSync(Buffer.alloc(40 << 20))
      const exploded = await post('/?query=INSERT+INTO+t+FORMAT+RowBinary', new Uint8Array(bomb), {
        'content-encoding': 'gzip',
      })
      expect(exploded.status).toBe(413)
      await Promise.all(neighbours)
      expect(await rowsOf(client, "SELECT count() FROM t WHERE name = 'neighbour'")).toEqual([['5']])
    })

    test('makes a new password when the file is deleted', async () => {
      const before = password()
      const fresh = started.client()
      rmSync(chdb.passwordFile)
      await expect(rowsOf(fresh, 'SELECT 1')).rejects.toMatchObject({ code: '516' })
      expect(password()).not.toBe(before)
      expect(await text('SELECT 1')).toBe('1\n')
    })
  },
)
