/**
 * The lines of a Delta commit. Only what we write and must understand: a table that uses more says so in its
 * protocol.
 *
 * @see https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions
 */
export type Action =
  | { readonly commitInfo: CommitInfo }
  | { readonly protocol: Protocol }
  | { readonly metaData: MetaData }
  | { readonly txn: Txn }
  | { readonly add: AddFile }
  | { readonly remove: RemoveFile }

/** For people who look at the history of the table. Times are milliseconds, from the data. */
export interface CommitInfo {
  readonly timestamp: number
  readonly operation: string
  readonly operationParameters: Readonly<Record<string, string>>
  readonly isBlindAppend: boolean
  readonly engineInfo: string
}

export interface Protocol {
  readonly minReaderVersion: number
  readonly minWriterVersion: number
}

export interface MetaData {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly format: { readonly provider: 'parquet'; readonly options: Readonly<Record<string, string>> }
  readonly schemaString: string
  readonly partitionColumns: readonly string[]
  readonly configuration: Readonly<Record<string, string>>
  readonly createdTime: number
}

/** How far the table has come in one source partition: `version` is the last offset whose rows it holds. */
export interface Txn {
  readonly appId: string
  readonly version: number
  readonly lastUpdated: number
}

export interface AddFile {
  /** Relative to the table, percent-encoded. */
  readonly path: string
  readonly partitionValues: { readonly dt: string }
  readonly size: number
  readonly modificationTime: number
  readonly dataChange: boolean
  /** JSON: `numRecords`, `minValues`, `maxValues`, `nullCount`. */
  readonly stats: string
  /**
   * `kt.schema`: the version of the event in it, so that a reader knows the columns of a file without opening
   * it.
   */
  readonly tags: Readonly<Record<string, string>>
}

export interface RemoveFile {
  readonly path: string
  readonly deletionTimestamp: number
  readonly dataChange: boolean
  readonly extendedFileMetadata: boolean
  readonly partitionValues: { readonly dt: string }
  readonly size: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** One commit, as bytes: an action a line. */
export const encodeCommit = (actions: readonly Action[]): Uint8Array =>
  encoder.encode(actions.map((action) => `${JSON.stringify(action)}\n`).join(''))

/**
 * The actions of a commit. Kinds that we do not write are kept out by the protocol check, or change no file.
 */
export const decodeCommit = (bytes: Uint8Array): readonly Action[] =>
  decoder
    .decode(bytes)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Action)

/** Twenty digits sort as numbers do: versions and offsets in file names. */
export const twenty = (whole: number): string => String(whole).padStart(20, '0')
