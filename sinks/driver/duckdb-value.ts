import {
  DuckDBArrayValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
} from '@duckdb/node-api'
import type { DuckDBValue } from '@duckdb/node-api'

/**
 * A value of an answer, never less exact than in the database:
 * - whole numbers are numbers up to 2^53, and bigints beyond it, value by value;
 * - doubles are numbers; decimals are numbers when they have at most 15 digits, texts beyond that;
 * - times are ISO 8601 texts in UTC with microseconds, which sort as times do; dates are texts;
 * - lists are arrays, structs and maps are objects; everything else is text as DuckDB writes it.
 */
export type LakeValue =
  null | boolean | number | bigint | string | readonly LakeValue[] | { readonly [name: string]: LakeValue }

export const exact = (value: DuckDBValue): LakeValue => {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string')
    return value
  if (typeof value === 'bigint') return whole(value)
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue)
    return isoMicros(value.micros, value)
  if (value instanceof DuckDBDecimalValue) return value.width <= 15 ? value.toDouble() : value.toString()
  if (value instanceof DuckDBDateValue) return value.toString()
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(exact)
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([name, one]) => [name, exact(one)]))
  if (value instanceof DuckDBMapValue)
    return Object.fromEntries(value.entries.map(({ key, value: one }) => [String(exact(key)), exact(one)]))
  return String(value)
}

const whole = (value: bigint): number | bigint => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** `2026-01-02T03:04:05.123456Z`; infinities and years beyond four digits stay as DuckDB writes them. */
const isoMicros = (micros: bigint, value: DuckDBValue): string => {
  const ms = Number(micros / 1000n) - (micros % 1000n < 0n ? 1 : 0)
  if (!Number.isSafeInteger(ms) || Math.abs(ms) > 8.64e15) return String(value)
  const rest = Number(((micros % 1000n) + 1000n) % 1000n)
  return new Date(ms).toISOString().replace('Z', `${String(rest).padStart(3, '0')}Z`)
}
