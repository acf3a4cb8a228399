import { describe, expect, test } from 'vitest'
import { bookDelta, fundingInterval, trade } from '../../market/event.ts'
import { latency } from '../../market/system.ts'
import { deltaSchema, evolved, packing, tableId, tableName, timeColumn } from '../../sinks/lake/schema.ts'
import { dateOf, isoMs } from '../../sinks/lake/stats.ts'
import { stored } from '../../sinks/arrow.ts'

const fields = (schemaString: string): readonly string[] =>
  (JSON.parse(schemaString) as { fields: { name: string; type: unknown; nullable: boolean }[] }).fields.map(
    ({ name, type, nullable }) => `${name} ${typeof type === 'string' ? type : JSON.stringify(type)}${nullable ? '?' : ''}`,
  )

describe('an event in the lake', () => {
  test('has its columns, those that kt adds, and its date', () => {
    expect(fields(deltaSchema(bookDelta))).toEqual([
      'venue string', 'instrument string', 'time timestamp', 'received timestamp', 'first long?', 'last long?',
      'snapshot boolean', 'origin string', 'horizon integer',
      ...['bid_prices', 'bid_sizes', 'ask_prices', 'ask_sizes'].map(
        (name) => `${name} {"type":"array","elementType":"double","containsNull":false}`,
      ),
      '_order integer', '_topic string', '_part integer', '_off long', '_row integer', '_step long', '_epoch integer',
      'dt date',
    ])
  })

  test('carries what each column means', () => {
    const [venue] = (JSON.parse(deltaSchema(trade)) as { fields: object[] }).fields
    expect(venue).toEqual({ name: 'venue', type: 'string', nullable: false, metadata: { comment: 'who sent it' } })
  })

  test('is parted by the date of received, or of time where there is no received', () => {
    expect([timeColumn(trade), timeColumn(latency), timeColumn({ ...trade, columns: [] })]).toEqual([
      'received', 'time', undefined,
    ])
    expect([dateOf(1_767_311_999_999_999), dateOf(1_767_312_000_000_000), dateOf(951_782_400_000_000)]).toEqual([
      '2026-01-01', '2026-01-02', '2000-02-29',
    ])
    expect(isoMs(1_767_311_999_999)).toBe('2026-01-01T23:59:59.999Z')
  })

  test('packs what grows as differences, and what repeats as a dictionary', () => {
    expect(stored(trade).columns.map((column) => `${column.name} ${packing(column)}`)).toEqual([
      'venue dictionary', 'instrument dictionary', 'time delta', 'received delta', 'first delta', 'last delta',
      'id prefix', 'side dictionary', 'price dictionary', 'size dictionary', '_order delta', '_topic dictionary',
      '_part dictionary', '_off delta', '_row delta', '_step delta', '_epoch dictionary',
    ])
  })

  test('is a table with an id that is the same for the same graph', () => {
    expect(tableName(fundingInterval)).toBe('funding_interval')
    expect(tableId('basis', 'trade')).toBe('4e905969-49ca-82ee-8de2-f4e3eca477e4')
    expect(tableId('other', 'trade')).not.toBe(tableId('basis', 'trade'))
    expect(tableId('basis', 'trade')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  test('keeps columns that a newer kt has added, and refuses another type', () => {
    const current = deltaSchema(trade)
    expect(evolved(trade, current)).toBe(current)
    const more = JSON.parse(current) as { fields: object[] }
    more.fields.push({ name: 'later', type: 'string', nullable: true, metadata: {} })
    expect(evolved(trade, JSON.stringify(more))).toBe(JSON.stringify(more))
    expect(() => evolved(trade, current.replace('"name":"price","type":"double"', '"name":"price","type":"string"'))).toThrow(
      expect.objectContaining({ code: 'KT3403', message: 'column "price" does not fit the lake\'s table "trade"' }),
    )
  })
})
