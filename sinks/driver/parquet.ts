import type { FileFormat } from '../lake/table.ts'
import { columnParquetOf } from './parquet-columns.ts'
import { checkpoint } from './parquet-wasm.ts'

/**
 * Files of the lake by our own writer: less work and fewer bytes than the library's, which writes what is
 * rare (checkpoints) and is what the tests compare with. What it gains: bench/results.md, G11.
 */
export const parquet: FileFormat = { write: columnParquetOf, checkpoint }
