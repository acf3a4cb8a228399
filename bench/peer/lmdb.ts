import { loadPeer } from './install.ts'

interface Lmdb {
  readonly open: (options: object) => LmdbStore
}

/** What is used of an lmdb store with whole numbers as keys and bytes as values. */
interface LmdbStore {
  /** Settles when the transaction that holds it is committed. */
  readonly put: (key: number, value: Uint8Array) => Promise<boolean>
  /** Settles when all that was committed before is on the disk. */
  readonly flushed: Promise<unknown>
  readonly getRange: (options: { readonly start: number }) => Iterable<{ readonly value: Uint8Array }>
  readonly close: () => Promise<void>
}

const OPTIONS = {
  keyEncoding: 'uint32',
  noMemInit: true,
  // Writes are gathered for as long as kt gathers them.
  commitDelay: 5,
  mapSize: 8 * 2 ** 30,
}

/** A store whose values are bytes of their own: what lmdb gives of `encoding: 'binary'`. */
export const openLmdb = async (path: string): Promise<LmdbStore> => {
  const { open } = (await loadPeer('lmdb')) as Lmdb
  return open({ path, encoding: 'binary', ...OPTIONS })
}

/**
 * The same store, whose values are shown to `see` where lmdb has them, until the next one comes: it gives a
 * decoder memory that it uses again.
 */
export const openLent = async (path: string, see: (value: Uint8Array) => void): Promise<LmdbStore> => {
  const { open } = (await loadPeer('lmdb')) as Lmdb
  const decode = (bytes: Uint8Array, length: number): void => see(bytes.subarray(0, length))
  return open({ path, encoder: { encode: (value: Uint8Array) => value, decode }, ...OPTIONS })
}
