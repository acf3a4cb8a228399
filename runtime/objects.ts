import { HostError } from '../graph/error.ts'
import type { ObjectStore, Random } from '../graph/port.ts'

/** Beginnings of names that only a store itself may give. */
export const TMP = '.kt-tmp-'

/** A path names an object in one way only, and within its store. Throws KT3010. */
export const checkedPath = (path: string): readonly string[] => {
  const parts = path.split('/')
  const strange = (part: string): boolean =>
    part === '' || part === '.' || part === '..' || part.startsWith(TMP) || /[\0\\]/.test(part)
  if (!parts.some(strange)) return parts
  throw new HostError('KT3010', `"${path}" cannot name an object`, {
    fix: 'Use names parted by single slashes, without "." and "..".',
    facts: { path },
    retry: 'never',
  })
}

const RIVALS = 8

/**
 * Show that of many who put an object if it is absent one wins, and that its bytes are there at once. All
 * that a lake promises rests on it, and some servers that speak S3 take the condition and ignore it. Throws
 * KT3022.
 */
export const proveConditionalPut = async (
  store: ObjectStore,
  random: Random,
  where: string,
): Promise<void> => {
  const path = `kt-probe/${Array.from({ length: 4 }, () => random.below(2 ** 31).toString(36)).join('')}`
  const bytesOf = (rival: number): Uint8Array => new TextEncoder().encode(`rival ${rival}`)
  try {
    const won = await Promise.all(
      Array.from({ length: RIVALS }, (_, rival) => store.putIfAbsent(path, bytesOf(rival))),
    )
    const late = await store.putIfAbsent(path, bytesOf(RIVALS))
    const winners = won.filter(Boolean).length + Number(late)
    if (winners !== 1) throw refused(where, `${winners} of ${RIVALS + 1} writers of one object won`)
    const there = await store.get(path)
    if (new TextDecoder().decode(there) !== `rival ${won.indexOf(true)}`)
      throw refused(where, 'the bytes of the writer that won are not what a reader gets')
  } finally {
    await store.remove(path).catch(() => undefined)
  }
}

const refused = (where: string, why: string): HostError =>
  new HostError(
    'KT3022',
    'the object store does not keep its promise to put an object only if it is absent',
    {
      where,
      why: `${why}: two loaders could overwrite each other's commits`,
      fix: 'Use a store with conditional writes (Amazon S3, MinIO, versitygw), or a folder.',
      retry: 'never',
    },
  )
