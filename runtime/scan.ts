import type { LogReader, Placed } from '../graph/port.ts'

/** `scan` of a reader, also of one that has no such way: its records are then kept ones. */
export const scanned = async (
  reader: LogReader,
  bytesMax: number,
  waitMs: number,
  see: (record: Placed) => void,
): Promise<number> => {
  if (reader.scan !== undefined) return reader.scan(bytesMax, waitMs, see)
  const records = await reader.read(bytesMax, waitMs)
  for (const record of records) see(record)
  return records.length
}
