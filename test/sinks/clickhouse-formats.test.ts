import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { logged, snake } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { avroSchema } from '../../runtime/format/avro-schema.ts'
import { avroWriting } from '../../runtime/format/avro-writing.ts'
import { Bytes } from '../../runtime/format/bytes.ts'
import { jsonWriting } from '../../runtime/format/json-writing.ts'
import { schemaRegistry } from '../../runtime/driver/schema-registry.ts'
import { clickhouseType } from '../../sinks/clickhouse/table.ts'
import { batchOf, eventOf, SCHEMAS } from '../runtime/events.ts'
import type { Row } from '../runtime/events.ts'
import { registryServer } from '../runtime/registry-server.ts'
import type { RegistryServer } from '../runtime/registry-server.ts'
import { start } from './chdb-start.ts'

const started = await start()
let server: RegistryServer
beforeAll(async () => void (server = await registryServer()))
afterAll(async () => {
  await server.close()
  await started?.end()
})

const ask = async (query: string, body: Uint8Array | string = ''): Promise<string> => {
  const { url, user } = started!.chdb
  const answer = await fetch(`${url}/?query=${encodeURIComponent(query)}`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${user}:${started!.password()}`).toString('base64')}` },
    body,
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(text)
  return text
}

/** Columns as a Kafka table has them: named as the fields, and what a choice is in the message. */
const columnsOf = (of: AnySchema): string =>
  logged(of)
    .columns.map((column) => {
      const type =
        column.kind === 'choice' ? (column.nullable ? 'Nullable(String)' : 'String') : clickhouseType(column)
      return `\`${column.name}\` ${type}`
    })
    .join(', ')

/** Times before 1900 and after 2299 are none of a DateTime64. */
const inRange = (row: Row, of: AnySchema): Row =>
  Object.fromEntries(
    of.columns.map(({ name, kind }) => [
      name,
      kind === 'micros' && row[name] !== null ? Math.abs(Number(row[name])) % 4e15 : row[name],
    ]),
  )

/** What ClickHouse has read, as the log has it. */
const readBack = async (of: AnySchema, table: string): Promise<readonly Row[]> => {
  const columns = logged(of).columns.map(({ name, kind }) =>
    kind === 'micros' ? `toUnixTimestamp64Micro(\`${name}\`) AS \`${name}\`` : `\`${name}\``,
  )
  const settings =
    'SETTINGS output_format_json_quote_64bit_integers = 0, output_format_json_quote_denormals = 1'
  // The alias of a time must not be what is sorted by.
  const text = await ask(
    `SELECT ${columns.join(', ')} FROM ${table} ORDER BY ${table}._order ${settings} FORMAT JSONEachRow`,
  )
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(
      (line) =>
        JSON.parse(line, (_, value: unknown) =>
          value === 'inf' ? Infinity : value === '-inf' ? -Infinity : value,
        ) as Row,
    )
}

describe.skipIf(started === undefined)('ClickHouse (skipped where chdb is not installed)', () => {
  test.each(SCHEMAS.map((one) => [one.name, one] as const))(
    'reads the events of a topic: %s',
    async (_, schema) => {
      const table = `read_${snake(schema.name)}`
      const registry = schemaRegistry({ url: server.url })
      const text = JSON.stringify(avroSchema(logged(schema)))
      const id = await registry.register(`${schema.name}-value`, { type: 'AVRO', text })
      const rows = fc.sample(eventOf(schema), { numRuns: 60, seed: 1 }).map((row) => inRange(row, schema))
      const batch = batchOf(schema, rows)
      const expected = rows.map((row, at) => ({ ...row, _order: 3 * at }))
      const ways = {
        JSONEachRow: jsonWriting(logged(schema)),
        AvroConfluent: avroWriting(logged(schema), id),
      }
      for (const [format, write] of Object.entries(ways)) {
        const to = new Bytes()
        rows.forEach((_row, at) => {
          write(to, batch, at)
          if (format === 'JSONEachRow') to.byte(0x0a)
        })
        await ask(
          `CREATE OR REPLACE TABLE ${table} (${columnsOf(schema)}) ENGINE = MergeTree ORDER BY _order`,
        )
        const settings = `SETTINGS format_avro_schema_registry_url = '${server.url}'`
        await ask(`INSERT INTO ${table} ${settings} FORMAT ${format}`, Buffer.from(to.cut()))
        expect(await readBack(schema, table), format).toEqual(expected)
      }
    },
  )
})
