import { tableFromIPC } from 'apache-arrow'
import {
  Compression,
  EnabledStatistics,
  Encoding,
  readParquet,
  Table,
  writeParquet,
  WriterPropertiesBuilder,
} from 'parquet-wasm/node'
import type { Batch } from '../../graph/batch.ts'
import { snake } from '../../graph/schema.ts'
import { packing } from '../lake/schema.ts'
import type { Packing } from '../lake/schema.ts'
import type { FileFormat } from '../lake/table.ts'
import { arrowEncoder } from './arrow.ts'
import { actionsOf, checkpointTable } from './checkpoint.ts'

/** What DuckDB reads at a time: a thread takes a row group. */
const ROW_GROUP = 122_880
/**
 * Readers that know old bugs by this text find none of theirs here. It has no version of ours: equal rows,
 * equal bytes.
 */
const CREATED_BY = 'kt version 1.0.0 (build parquet-wasm)'

const ENCODINGS: Readonly<Record<Exclude<Packing, 'dictionary'>, Encoding>> = Object.freeze({
  delta: Encoding.DELTA_BINARY_PACKED,
  prefix: Encoding.DELTA_BYTE_ARRAY,
  plain: Encoding.PLAIN,
})

/** One text of metadata: several would be written in the order of a hash that differs from run to run. */
const writerOf = (about: Readonly<Record<string, string>>): WriterPropertiesBuilder =>
  new WriterPropertiesBuilder()
    .setCompression(Compression.ZSTD)
    .setMaxRowGroupSize(ROW_GROUP)
    .setStatisticsEnabled(EnabledStatistics.Page)
    .setCreatedBy(CREATED_BY)
    .setKeyValueMetadata(new Map([['kt', JSON.stringify(about)]]))

const encode = arrowEncoder()

/**
 * A batch of `stored(schema)` as a Parquet file by parquet-wasm: zstd, packed by column, statistics by
 * page. What our own writer is compared with.
 */
export const wasmParquetOf = (batch: Batch, about: Readonly<Record<string, string>>): Uint8Array => {
  let writer = writerOf(about)
  for (const { column } of batch.columns) {
    const packed = packing(column)
    if (packed === 'dictionary') continue
    const name = snake(column.name)
    writer = writer.setColumnDictionaryEnabled(name, false).setColumnEncoding(name, ENCODINGS[packed])
  }
  return writeParquet(Table.fromIPCStream(encode(batch)), writer.build())
}

/** Checkpoints of the lake's tables, whose columns nest. */
export const checkpoint: FileFormat['checkpoint'] = {
  encode: (actions) => writeParquet(Table.fromIPCStream(checkpointTable(actions)), writerOf({}).build()),
  decode: (bytes) => actionsOf(tableFromIPC(readParquet(bytes).intoIPCStream())),
}
