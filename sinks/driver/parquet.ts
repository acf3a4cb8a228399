import type { FileFormat } from '../lake/table.ts'
import { checkpoint, wasmParquetOf } from './parquet-wasm.ts'

/**
 * Files of the lake, and checkpoints of its tables. `columnParquetOf` writes files that readers take for the
 * same, smaller and with less work: it takes the place of `wasmParquetOf` once that is a quarter everywhere.
 */
export const parquet: FileFormat = { write: wasmParquetOf, checkpoint }
