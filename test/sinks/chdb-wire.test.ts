import { afterAll, describe, expect, test } from 'vitest'
import { formatOf, readStatement, withQueryIds } from '../../sinks/driver/chdb-statement.ts'
import { engine, start } from './chdb-start.ts'

const started = await start()
afterAll(() => started?.end())

describe.skipIf(started === undefined)(
  'bytes on the wire of embedded ClickHouse (skipped where chdb is not installed)',
  () => {
    if (started === undefined) return
    const ask = async (
      body: string | Uint8Array<ArrayBuffer>,
      path = '/',
      headers: Record<string, string> = {},
    ) => {
      const key = {
        'x-clickhouse-user': started.chdb.user,
        'x-clickhouse-key': started.password(),
        ...headers,
      }
      return Buffer.from(
        await (await fetch(started.chdb.url + path, { method: 'POST', body, headers: key })).arrayBuffer(),
      )
    }
    const revised = '/?client_protocol_version=54460'

    test('a client that names its revision gets Native with block info and a mark per column', async () => {
      const answer = await ask('SELECT 7::UInt8 AS a FORMAT Native', revised)
      expect(answer.toString('hex')).toBe(`010002ffffffff00${'0101'}${'0161'}${'0555496e7438'}00${'07'}`)
    })

    const columns: readonly string[] = [
      'number',
      "toString(number) || repeat('x', 200)",
      "toFixedString('ab', 3)",
      '[number, 1]',
      'emptyArrayString()',
      'NULL',
      'if(number % 2, NULL, number)',
      'toLowCardinality(toString(number % 300))',
      "toLowCardinality(if(number % 2, NULL, 'x'))",
      "[toLowCardinality('a'), toLowCardinality(toString(number))]",
      'CAST([] AS Array(LowCardinality(String)))',
      "map('k', number)",
      "map(toLowCardinality('k'), [1, 2])",
      "CAST((1, 'x') AS Tuple(a UInt8, `b c` String))",
      "(1, 'x', [2])",
      'toDecimal32(1.5, 2)',
      'toDecimal128(1.5, 20)',
      'toDecimal256(1, 2)',
      'generateUUIDv4(1) = generateUUIDv4(2)',
      "toUUID('00000000-0000-0000-0000-000000000001')",
      "toDateTime64(0, 6, 'UTC')",
      "CAST('a,)(' AS Enum8('a,)(' = 1, 'b\\'' = 2))",
      "toIPv6('::1')",
      'toIPv4(number)',
      'toInt128(number)',
      'INTERVAL 1 DAY',
      '(1.5, 2.5)::Point',
      '[(1.5, 2.5)]::Ring',
      "CAST([(1, 'a')] AS Nested(n UInt8, s String))",
      'number > 3',
      'toDate32(1)',
    ]

    test.each(columns)('the bytes of %s are found and kept', async (column) => {
      const from = 'FROM numbers(500) FORMAT Native'
      const two = await ask(`SELECT ${column} AS a, 1::UInt8 AS z ${from}`)
      const framed = await ask(`SELECT ${column} AS a, 1::UInt8 AS z ${from}`, revised)
      const type = (
        await ask(
          `SELECT toTypeName(${column}) FROM numbers(1) FORMAT TSVRaw`,
          '/?print_pretty_type_names=0',
        ).then(String)
      ).trim()
      const described = Buffer.concat([
        Buffer.from([1]),
        Buffer.from('a'),
        varint(type.length),
        Buffer.from(type),
      ])
      const tail = Buffer.concat([Buffer.from([1]), Buffer.from('z'), Buffer.from([5]), Buffer.from('UInt8')])
      const split = two.lastIndexOf(tail)
      const body = two.subarray(3 + described.length, split)
      const zero = Buffer.from([0])
      const ones = Buffer.alloc(500, 1)
      const info = Buffer.from('010002ffffffff00', 'hex')
      const expected = Buffer.concat([info, two.subarray(0, 3), described, zero, body, tail, zero, ones])
      expect(framed.equals(expected)).toBe(true)
    })

    test.runIf(engine === 'front')('types that cannot be framed are refused with a remedy', async () => {
      expect(String(await ask('SELECT sumState(number) FROM numbers(3) FORMAT Native', revised))).toMatch(
        /Code: 48\..*AggregateFunction.*cast/,
      )
    })

    test.runIf(engine === 'front')(
      'LZ4 frames are read: literals, matches into themselves, raw blocks',
      async () => {
        const start_ = Buffer.from("SELECT 'ab")
        const match = Buffer.from([2, 0, 30])
        const packed = Buffer.concat([
          Buffer.from([(start_.length << 4) | 15]),
          start_,
          match,
          Buffer.from([0x10]),
          Buffer.from("'"),
        ])
        const raw = Buffer.from(", 'c'")
        const size = (bytes: number) => Buffer.from(Uint32Array.of(bytes).buffer)
        const head = Buffer.from('04224d18604082', 'hex')
        const frame = Buffer.concat([
          head,
          size(packed.length),
          packed,
          size(raw.length + 0x80000000),
          raw,
          size(0),
        ])
        const answer = await ask(new Uint8Array(frame), '/', { 'content-encoding': 'lz4' })
        expect(String(answer)).toBe(`${'ab'.repeat(25)}a\tc\n`)
        const torn = await ask(new Uint8Array(frame.subarray(0, 20)), '/', { 'content-encoding': 'lz4' })
        expect(String(torn)).toMatch(/^Code: 354\..*LZ4 frame ends too early/)
      },
    )
  },
)

const varint = (value: number) =>
  value < 128 ? Buffer.from([value]) : Buffer.from([(value & 127) | 128, value >> 7])

describe('statements of embedded ClickHouse', () => {
  const kind = (sql: string) => readStatement(sql, 0).kind
  const rowsOf = (sql: string, bodyAt = 0) => {
    const statement = readStatement(sql, bodyAt)
    return statement.kind === 'insert'
      ? [statement.format, sql.slice(statement.rowsAt), statement.settings.trim()]
      : statement.kind
  }

  test('are told apart by their first words, behind comments', () => {
    expect(
      ['/* INSERT */ SELECT 1', '-- x\n(SELECT 1)', 'SHOW TABLES', 'WITH 1 AS a SELECT a'].map(kind),
    ).toEqual(Array(4).fill('rows'))
    expect(['CREATE TABLE t (a Int8)', 'KILL QUERY WHERE 1', 'SET a = 1'].map(kind)).toEqual(
      Array(3).fill('whole'),
    )
    expect(kind('INSERT INTO t (a) WITH 1 AS a SELECT a')).toBe('write')
  })

  test('are parted from their rows where ClickHouse parts them', () => {
    expect(
      rowsOf(
        "INSERT INTO `values`.format (`format`, b) SETTINGS a = 'FORMAT x', b = 1 FORMAT RowBinary\n\n\n",
      ),
    ).toEqual(['RowBinary', '\n\n', "SETTINGS a = 'FORMAT x', b = 1"])
    expect(rowsOf('INSERT INTO t FORMAT CSV \r\n1')).toEqual(['CSV', '1', ''])
    expect(rowsOf("INSERT INTO FUNCTION null('a Int8') VALUES (1)")).toEqual(['Values', ' (1)', ''])
    expect(rowsOf('insert into t (* except(b)) values (1)')).toEqual(['Values', ' (1)', ''])
    const query = 'INSERT INTO t FORMAT Native ;\n'
    expect(rowsOf(`${query}\n\nrows`, query.length)).toEqual(['Native', '\n\nrows', ''])
  })

  test('name their format at the end only', () => {
    const formats = [
      "SELECT 'a' FORMAT CSV",
      "SELECT 'FORMAT CSV'",
      "SELECT 1 FORMAT JSON SETTINGS a = 'x';",
      'SELECT format FROM t',
      'SELECT 1 AS format',
    ]
    expect(formats.map(formatOf)).toEqual(['CSV', undefined, 'JSON', undefined, undefined])
  })

  test('kill by the id that the client knows, and leave strings alone', () => {
    expect(withQueryIds("KILL QUERY WHERE query_id = 'query_id'")).toBe(
      "KILL QUERY WHERE Settings['send_logs_source_regexp'] = 'query_id'",
    )
    expect(withQueryIds('SELECT query_id')).toBe('SELECT query_id')
  })
})
