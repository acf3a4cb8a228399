import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import type { Clock, ObjectArchive, Random, StoredObject } from '../../graph/port.ts'
import { checkedPath } from '../objects.ts'
import { S3Calls } from './s3-calls.ts'
import type { Calling } from './s3-calls.ts'

/** Where objects lie: a bucket, and the beginning that all their keys have. */
export interface S3Place {
  readonly bucket: string
  /** `lake/kt`; empty: the whole bucket. */
  readonly prefix: string
  readonly region: string
  /** Undefined: Amazon's own. */
  readonly endpoint: string | undefined
  /** `endpoint/bucket/key` in place of `bucket.endpoint/key`. */
  readonly pathStyle: boolean
}

export interface S3Options extends Partial<Calling> {
  readonly clock: Clock
  readonly random: Random
  /** Undefined: as the AWS SDK finds them (environment, profile, role), and renews them. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

/** An object store in S3, whose connections are to be closed. */
export interface S3Store extends ObjectArchive {
  readonly close: () => void
}

/** S3 takes this many keys a page; fewer make tests of paging short. */
const PAGE = 1000

/**
 * An object store in S3, or what speaks like it. Each call is tried again within bounds and has a time limit
 * that fires. A put whose answer was lost is looked up, so that who put an object if it was absent knows
 * whether it did; where nobody can tell, it rejects, and asking again is safe.
 *
 * Rejects with KT3020 (no answer), KT3021 (credentials), KT3023 (no such bucket, wrong region), KT3024 (the
 * store refused).
 */
export const s3Store = (at: S3Place, options: S3Options, page = PAGE): S3Store => {
  const client = clientOf(at, options)
  const calls = new S3Calls(`s3://${at.bucket}/${at.prefix}`, options)
  const { bucket: Bucket } = at
  const base = at.prefix === '' ? '' : `${at.prefix}/`
  const keyOf = (path: string): string => base + checkedPath(path).join('/')
  const got = (path: string, range?: string): Promise<Uint8Array | undefined> => {
    const Key = keyOf(path)
    return calls.run('get', (signal) => partOf(client, Bucket, Key, range, signal))
  }
  const listed = async (prefix: string): Promise<readonly StoredObject[]> =>
    (await listing(client, calls, Bucket, base + prefix, page))
      .filter(({ path }) => !path.endsWith('/'))
      .map((one) => ({ ...one, path: one.path.slice(base.length) }))
      .sort((a, b) => (a.path < b.path ? -1 : 1))
  return Object.freeze({
    get: (path: string) => got(path),
    range: async (path: string, first: number, length: number) => {
      if (length === 0) return (await got(path, 'bytes=0-0'))?.subarray(0, 0)
      const bytes = await got(path, first < 0 ? `bytes=${first}` : `bytes=${first}-${first + length - 1}`)
      return bytes?.subarray(0, length)
    },
    put: async (path: string, bytes: Uint8Array) => {
      const of = { Bucket, Key: keyOf(path), Body: bytes }
      const send = (abortSignal: AbortSignal) => client.send(new PutObjectCommand(of), { abortSignal })
      await calls.must('put', send, bytes.length)
    },
    putIfAbsent: async (path: string, bytes: Uint8Array) => {
      const of = { Bucket, Key: keyOf(path), Body: bytes, IfNoneMatch: '*' }
      const send = (abortSignal: AbortSignal) => client.send(new PutObjectCommand(of), { abortSignal })
      const outcome = await calls.conditional(send, bytes.length)
      if (outcome !== 'unsure') return outcome === 'won'
      const there = await got(path)
      return there !== undefined && Buffer.compare(there, bytes) === 0
    },
    list: async (prefix: string) => (await listed(prefix)).map(({ path }) => path),
    listed,
    remove: async (path: string) => {
      const of = { Bucket, Key: keyOf(path) }
      await calls.run('remove', (abortSignal) => client.send(new DeleteObjectCommand(of), { abortSignal }))
    },
    close: () => client.destroy(),
  })
}

const partOf = async (
  client: S3Client,
  Bucket: string,
  Key: string,
  range: string | undefined,
  signal: AbortSignal,
): Promise<Uint8Array> => {
  const of = { Bucket, Key, ...(range === undefined ? {} : { Range: range }) }
  try {
    return await bodyOf(await client.send(new GetObjectCommand(of), { abortSignal: signal }), signal)
  } catch (error) {
    if (range !== undefined && (error as Error).name === 'InvalidRange') return new Uint8Array(0)
    throw error
  }
}

/** Every key that begins so, page by page. */
const listing = async (
  client: S3Client,
  calls: S3Calls,
  Bucket: string,
  Prefix: string,
  MaxKeys: number,
): Promise<readonly StoredObject[]> => {
  const found: StoredObject[] = []
  let token: string | undefined
  do {
    const of = { Bucket, Prefix, MaxKeys, ...(token === undefined ? {} : { ContinuationToken: token }) }
    const answer = await calls.must('list', (abortSignal) =>
      client.send(new ListObjectsV2Command(of), { abortSignal }),
    )
    for (const { Key, Size, LastModified } of answer.Contents ?? [])
      found.push({ path: Key!, size: Size ?? 0, modified: (LastModified?.getTime() ?? 0) * 1000 })
    token = answer.IsTruncated === true ? answer.NextContinuationToken : undefined
  } while (token !== undefined)
  return found
}

const clientOf = (at: S3Place, { credentials, timeoutMs = 0 }: S3Options): S3Client =>
  new S3Client({
    region: at.region,
    ...(at.endpoint === undefined ? {} : { endpoint: at.endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    forcePathStyle: at.pathStyle,
    // Tries are counted in one place, ours: only there is it known whether one may have done its work.
    maxAttempts: 1,
    // Ours is the limit that counts; this one ends what a call left behind. Without the flag it only warns.
    requestHandler: { connectionTimeout: 5000, requestTimeout: 4 * timeoutMs, throwOnRequestTimeout: true },
  })

/** A body that ends early is a failure of the network, never a short object. */
const bodyOf = async (answer: GetObjectCommandOutput, signal: AbortSignal): Promise<Uint8Array> => {
  const body = answer.Body!
  const stop = (): void => void ('destroy' in body && body.destroy())
  signal.addEventListener('abort', stop)
  try {
    const bytes = await body.transformToByteArray()
    if (answer.ContentLength !== undefined && bytes.length !== answer.ContentLength)
      throw new Error(`${bytes.length} of ${answer.ContentLength} bytes came`)
    return bytes
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
