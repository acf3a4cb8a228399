import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { randomInt } from 'node:crypto'
import { join, relative } from 'node:path'
import { z } from 'zod'
import { KtError } from '../graph/error.ts'
import type { ObjectArchive, Random } from '../graph/port.ts'
import { systemClock } from '../runtime/driver/clock.ts'
import { fileStore } from '../runtime/driver/files.ts'
import { proveConditionalPut } from '../runtime/objects.ts'
import type { S3Place } from '../runtime/driver/s3.ts'

/** Where a lake's objects are. */
export interface LakeStore {
  /** A folder, or `s3://bucket/prefix`. */
  readonly name: string
  readonly objects: ObjectArchive
  /** Undefined: it is in S3. */
  readonly folder: string | undefined
  readonly close: () => void
}

/** In the folder of a lake that is in S3: then the folder is what was pulled of it. */
const POINTER = 's3.json'

const FLAGS = ['region', 'endpoint', 'pathStyle'] as const

const place = z.strictObject({
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'is no name of a bucket'),
  prefix: z.string().regex(/^$|^[^/]+(\/[^/]+)*$/, 'is no beginning of keys'),
  region: z.string().min(1),
  endpoint: z.url({ protocol: /^https?$/, error: 'is not http:// or https://' }).optional(),
  pathStyle: z.enum(['true', 'false']).optional(),
})

/**
 * `s3://bucket/prefix?region=eu-west-1&endpoint=http://127.0.0.1:9000&pathStyle=true`. What it leaves out
 * comes from KT_S3_REGION (or AWS_REGION) and KT_S3_ENDPOINT. Credentials are never part of it: the AWS SDK
 * finds them. Throws KT6420.
 */
export const s3Place = (text: string, env: Readonly<Record<string, string | undefined>>): S3Place => {
  const url = URL.parse(text)
  if (url === null || url.protocol !== 's3:') throw wrong('it does not begin with s3://')
  // The text is not repeated: it has a secret.
  if (url.username !== '' || url.password !== '') throw wrong('credentials do not belong in it')
  const unknown = [...url.searchParams.keys()].filter((key) => !FLAGS.includes(key as 'region'))
  if (unknown.length > 0) throw wrong(`it takes ${FLAGS.join(', ')}, not ${unknown.join(', ')}`, text)
  const flag = (key: (typeof FLAGS)[number]): string | undefined => url.searchParams.get(key) ?? undefined
  const parsed = place.safeParse({
    bucket: url.hostname,
    prefix: decodeURIComponent(url.pathname).replace(/^\//, '').replace(/\/$/, ''),
    region: flag('region') ?? env['KT_S3_REGION'] ?? env['AWS_REGION'] ?? 'us-east-1',
    endpoint: flag('endpoint') ?? env['KT_S3_ENDPOINT'],
    pathStyle: flag('pathStyle'),
  })
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw wrong(`${issue!.path.join('.')} ${issue!.message}`, text)
  }
  const { bucket, prefix, region, endpoint, pathStyle } = parsed.data
  const byPath = pathStyle === undefined ? endpoint !== undefined : pathStyle === 'true'
  return { bucket, prefix, region, endpoint, pathStyle: byPath }
}

const wrong = (why: string, where?: string): KtError =>
  new KtError('KT6420', 'the address of the lake cannot be understood', {
    why,
    ...(where === undefined ? {} : { where }),
    fix: 'Write s3://bucket/prefix?region=eu-west-1, and endpoint=http://host:port where it is not Amazon.',
  })

const random: Random = { below: (n) => randomInt(n) }

const nameOf = ({ bucket, prefix }: S3Place): string => `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`

/** A lake in S3, opened: its client is loaded when there is one. */
const openS3 = async (address: string): Promise<LakeStore> => {
  const at = s3Place(address, process.env)
  const name = nameOf(at)
  const { s3Store } = await import('../runtime/driver/s3.ts')
  const objects = s3Store(at, { clock: systemClock(), random })
  return { name, objects, folder: undefined, close: objects.close }
}

/** The address in the folder of a lake, where the lake is in S3. */
const addressIn = (folder: string): string | undefined => {
  const file = join(folder, POINTER)
  if (!existsSync(file)) return undefined
  return z.object({ address: z.string() }).parse(JSON.parse(readFileSync(file, 'utf8'))).address
}

/** A lake by its folder, or its address in S3. */
export const openStore = (where: string): Promise<LakeStore> => {
  const address = where.startsWith('s3://') ? where : addressIn(where)
  if (address !== undefined) return openS3(address)
  return Promise.resolve({ name: where, objects: fileStore(where), folder: where, close: () => undefined })
}

/** The address in S3 of the lake that a run with this folder writes to, when it is there. */
const addressFor = (folder: string): string | undefined => {
  const named = process.env['KT_LAKE']
  return named?.startsWith('s3://') === true ? named : addressIn(folder)
}

/** What people call the lake that a run with this folder writes to. */
export const lakeName = (folder: string): string => {
  const address = addressFor(folder)
  return address === undefined ? relative(process.cwd(), folder) : nameOf(s3Place(address, process.env))
}

/** Before anything starts: can it be there? Throws KT6420, and KT6426 where the folder has another lake. */
export const checkLake = (folder: string): void => {
  const address = addressFor(folder)
  if (address === undefined) return
  s3Place(address, process.env)
  if (address !== addressIn(folder) && hasTables(folder)) throw another(folder)
}

/**
 * The lake that a run writes to: KT_LAKE where that is in S3, or its own folder. A store in S3 has to prove
 * first that it keeps what a lake rests on (KT3022). Later commands find it in the folder.
 */
export const openForWriting = async (folder: string): Promise<LakeStore> => {
  const address = addressFor(folder)
  if (address === undefined) return openStore(folder)
  checkLake(folder)
  const store = await openStore(address)
  try {
    await proveConditionalPut(store.objects, random, store.name)
  } catch (error) {
    store.close()
    throw error
  }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, POINTER), JSON.stringify({ address }))
  return store
}

const hasTables = (folder: string): boolean =>
  existsSync(folder) && readdirSync(folder).some((name) => existsSync(join(folder, name, '_delta_log')))

const another = (folder: string): KtError =>
  new KtError('KT6426', 'the data folder has another lake already', {
    where: folder,
    why: 'KT_LAKE names a lake in S3, and what is pulled of it would mix with what is there.',
    fix: 'Give the run another folder with --data, or leave KT_LAKE as it was when the folder was made.',
  })
