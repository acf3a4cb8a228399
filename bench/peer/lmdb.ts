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

export const openLmdb = async (path: string): Promise<LmdbStore> => {
  const { open } = (await loadPeer('lmdb')) as Lmdb
  return open({
    path,
    encoding: 'binary',
    keyEncoding: 'uint32',
    noMemInit: true,
    // Writes are gathered for as long as kt gathers them.
    commitDelay: 5,
    mapSize: 8 * 2 ** 30,
  })
}
