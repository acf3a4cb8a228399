import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess, StdioOptions } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import type { S3Place } from '../runtime/driver/s3.ts'
import { freePort } from './free-port.ts'

/** A real S3 server: versitygw, or with `KT_S3=minio` MinIO, built by Go in the user's cache. */
const SERVERS = {
  versitygw: { from: 'github.com/versity/versitygw/cmd/versitygw', version: 'v1.8.0', buildMs: 400_000 },
  minio: { from: 'github.com/minio/minio', version: 'v0.0.0-20260212201848-7aac2a2c5b7c', buildMs: 1_200_000 },
} as const

const name = process.env['KT_S3'] === 'minio' ? 'minio' : 'versitygw'
/** How long the only build may take before tests go on without it. */
const BUILD_MS = Number(process.env['KT_S3_BUILD_MS'] ?? SERVERS[name].buildMs)

/** The program, built once; undefined where there is no Go, or the build failed or was too slow. */
const built = (): string | undefined => {
  const { from, version } = SERVERS[name]
  const folder = join(
    process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
    'kt',
    `${name}-${version.replace('v', '')}`,
  )
  const program = join(folder, name)
  if (existsSync(program)) return program
  if (spawnSync('go', ['version']).status !== 0) return undefined
  mkdirSync(folder, { recursive: true })
  const lock = join(folder, 'building')
  // One of the test files builds, and the others wait for it; a lock that a kill left behind is passed.
  if (existsSync(lock) && Date.now() - statSync(lock).mtimeMs > BUILD_MS) rmdirSync(lock)
  if (!locked(lock)) {
    const until = Date.now() + BUILD_MS
    while (existsSync(lock) && Date.now() < until)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
    return existsSync(program) ? program : undefined
  }
  process.stderr.write(`kt: building ${name}, once (some minutes)\n`)
  spawnSync('go', ['install', '-ldflags=-s -w', `${from}@${version}`], {
    env: { ...process.env, GOBIN: folder, GOFLAGS: '-p=1' },
    timeout: BUILD_MS,
    stdio: 'ignore',
  })
  rmdirSync(lock)
  return existsSync(program) ? program : undefined
}

const locked = (lock: string): boolean => {
  try {
    mkdirSync(lock)
    return true
  } catch {
    return false
  }
}

const program = built()

/** Whether tests against a real S3 run here, for `skipIf`. */
export const s3There = program !== undefined

const KEYS = { accessKeyId: 'ktaccesskey', secretAccessKey: 'ktsecretkey0123' }

export interface S3Server {
  readonly endpoint: string
  readonly credentials: typeof KEYS
  /** A new, empty bucket, and where in it objects go. */
  readonly bucket: (prefix?: string) => Promise<S3Place>
  readonly stop: () => Promise<void>
}

export const startS3 = async (): Promise<S3Server> => {
  const folder = mkdtempSync(join(tmpdir(), `kt-${name}-`))
  const port = await freePort()
  const child = start(folder, port)
  const endpoint = `http://127.0.0.1:${port}`
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: KEYS })
  await listening(port, child)
  let buckets = 0
  return {
    endpoint,
    credentials: KEYS,
    bucket: async (prefix = '') => {
      const bucket = `kt-${++buckets}-${process.pid}`
      await made(client, bucket)
      return { bucket, prefix, region: 'us-east-1', endpoint, pathStyle: true }
    },
    stop: async () => {
      client.destroy()
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.stdin!.end()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const start = (folder: string, port: number): ChildProcess => {
  const at = `127.0.0.1:${port}`
  const { accessKeyId, secretAccessKey } = KEYS
  // It ends with the test, however that ends: when nobody holds its standard input any more.
  const held = ['-c', '"$@" & cat; kill -9 $!', 'sh', program!]
  const stdio: StdioOptions = ['pipe', 'ignore', 'ignore']
  if (name === 'minio') {
    const env = {
      ...process.env,
      MINIO_ROOT_USER: accessKeyId,
      MINIO_ROOT_PASSWORD: secretAccessKey,
      MINIO_BROWSER: 'off',
    }
    return spawn('sh', [...held, 'server', folder, '--address', at], { env, stdio })
  }
  const flags = ['--access', accessKeyId, '--secret', secretAccessKey, '--region', 'us-east-1', '--port', at]
  return spawn('sh', [...held, ...flags, 'posix', folder], { stdio })
}

const listening = async (port: number, child: ChildProcess): Promise<void> => {
  for (let tries = 0; tries < 600; tries++) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`)
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (open) return
    await pause(50)
  }
  throw new Error(`${name} does not listen`)
}

const made = async (client: S3Client, bucket: string): Promise<void> => {
  for (let tries = 1; ; tries++) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }))
      return
    } catch (error) {
      if ((error as Error).name === 'BucketAlreadyOwnedByYou') return
      if (tries === 20) throw error
      await pause(200)
    }
  }
}
