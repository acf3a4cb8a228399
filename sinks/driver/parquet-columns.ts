import { constants, zstdCompressSync } from 'node:zlib'
import { RecordBatchStreamWriter, Table } from 'apache-arrow'
import type { Batch } from '../../graph/batch.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { parquetWriter } from '../parquet/file.ts'
import { arrowSchema } from './arrow.ts'

/**
 * Readers that know old bugs by this text find none of theirs here. It has no version of ours: equal rows,
 * equal bytes.
 */
const CREATED_BY = 'kt version 2.0.0 (build columns)'

const { ZSTD_c_compressionLevel: LEVEL, ZSTD_c_minMatch: MATCH, ZSTD_c_hashLog: HASH } = constants
/** The quickest level; short strings are not looked for, as hardly any is worth it. */
const VALUES = { [LEVEL]: 1, [MATCH]: 6 }
/** Places of two bytes repeat in still longer strings or by chance: a small table finds the former. */
const PLACES = { [LEVEL]: 1, [MATCH]: 7, [HASH]: 10 }

const write = parquetWriter(
  {
    codec: 6,
    compress: (bytes, places) =>
      zstdCompressSync(bytes, {
        params: places ? PLACES : VALUES,
        // What may come out at most: with less room it is made in a memory of zstd's own, and copied.
        chunkSize: bytes.length + (bytes.length >> 8) + 128,
      }),
    same: (a, b) => Buffer.compare(a, b) === 0,
  },
  CREATED_BY,
)

const known = new WeakMap<AnySchema, string>()

/** The Arrow schema of a file, which readers that speak Arrow take its types and comments from. */
const arrowText = (schema: AnySchema): string => {
  const found = known.get(schema)
  if (found !== undefined) return found
  const stream = RecordBatchStreamWriter.writeAll(new Table(arrowSchema(schema))).toUint8Array(true)
  const size = new DataView(stream.buffer, stream.byteOffset).getUint32(4, true)
  const text = Buffer.from(stream.subarray(0, 8 + size)).toString('base64')
  known.set(schema, text)
  return text
}

/**
 * A batch of `stored(schema)` as a Parquet file by our own writer: zstd, packed by column, bounds by page.
 * Equal rows give equal bytes.
 */
export const columnParquetOf = (batch: Batch, about: Readonly<Record<string, string>>): Uint8Array =>
  write(batch, { kt: JSON.stringify(about), 'ARROW:schema': arrowText(batch.schema) })
