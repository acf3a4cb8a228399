import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HostError } from '../../graph/error.ts'
import type { ObjectArchive } from '../../graph/port.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { s3Store } from '../../runtime/driver/s3.ts'
import type { S3Options, S3Place, S3Store } from '../../runtime/driver/s3.ts'
import { proveConditionalPut } from '../../runtime/objects.ts'
import { randomOf } from '../random.ts'
import { faultProxy } from '../s3-proxy.ts'
import type { Fault } from '../s3-proxy.ts'
import { s3There, startS3 } from '../s3-server.ts'
import type { S3Server } from '../s3-server.ts'
import { bytes, conformance, textOf } from './objects.conformance.ts'
import { codeOf } from './steps.ts'

const clock = systemClock()
const random = { below: randomOf(1) }
const QUICK = { timeoutMs: 300, triesMax: 4, backoffMs: 1 }
/** More seeds on demand: `S3_SEEDS=100 vitest run test/runtime/s3.test.ts`. */
const SEEDS = Number(process.env['S3_SEEDS'] ?? 2)

describe.skipIf(!s3There)('a store of objects in S3', () => {
  let server: S3Server
  beforeAll(async () => void (server = await startS3()), 120_000)
  afterAll(() => server.stop())

  const open = (place: S3Place, options: Partial<S3Options> = {}): S3Store =>
    s3Store(place, { clock, random, credentials: server.credentials, ...options }, 2)

  conformance(async (on) => {
    const store = open(await server.bucket('lake/kt'))
    await on(store)
    store.close()
  })

  /** A store behind a proxy that does to the nth request what `script` says, and a look past it. */
  const behind = async (
    script: readonly Fault[] | ((what: string) => Fault),
    on: (store: S3Store, plain: ObjectArchive, seen: readonly string[]) => Promise<void>,
    options: Partial<S3Options> = QUICK,
  ): Promise<void> => {
    const place = await server.bucket()
    let at = 0
    const proxy = await faultProxy(server.endpoint, (what) =>
      typeof script === 'function' ? script(what) : (script[at++] ?? 'none'),
    )
    const [store, plain] = [open({ ...place, endpoint: proxy.endpoint }, options), open(place)]
    try {
      await on(store, plain, proxy.seen)
    } finally {
      store.close()
      plain.close()
      await proxy.stop()
    }
  }

  test.each<readonly Fault[]>([['503'], ['skewed'], ['500', '409'], ['cut', 'cut after'], ['hang', '503']])(
    'goes on behind %s',
    (...script) =>
      behind(script, async (store, plain, seen) => {
        await store.put('one', bytes('1'))
        expect(seen).toHaveLength(script.length + 1)
        expect(await textOf(plain, 'one')).toBe('1')
      }),
  )

  test.each<Fault>(['503', '500', 'cut', 'hang', 'cut body'])(
    'reads, lists and removes behind %s',
    (fault) => {
      let turn = 0
      return behind(
        (what) => (what.startsWith('PUT') || turn++ % 2 === 1 ? 'none' : fault),
        async (store, plain) => {
          await store.put('one', new Uint8Array(50_000))
          expect(await store.get('one')).toHaveLength(50_000)
          expect(await store.range('one', -8, 8)).toHaveLength(8)
          expect(await store.list('o')).toEqual(['one'])
          await store.remove('one')
          expect(await plain.get('one')).toBeUndefined()
        },
      )
    },
  )

  test.each<Fault>(['cut after', 'hang after'])(
    'knows that its put was done when the answer is lost: %s',
    (fault) =>
      behind([fault], async (store, plain, seen) => {
        expect(await store.putIfAbsent('commit', bytes('ours'))).toBe(true)
        expect(await textOf(plain, 'commit')).toBe('ours')
        expect(seen.filter((what) => what.startsWith('PUT'))).toHaveLength(2)
      }),
  )

  test.each<Fault>(['cut', 'hang', '500', '503', '409'])(
    'knows that another was first when its own try came to nothing: %s',
    async (fault) => {
      let rival: ObjectArchive | undefined
      let begun = false
      await behind(
        (what) => {
          if (begun || !what.startsWith('PUT')) return 'none'
          begun = true
          void rival!.put('commit', bytes('theirs'))
          return fault
        },
        async (store, plain) => {
          rival = plain
          expect(await store.putIfAbsent('commit', bytes('ours'))).toBe(false)
          expect(await textOf(plain, 'commit')).toBe('theirs')
        },
        { ...QUICK, backoffMs: 400 },
      )
    },
  )

  test.each<readonly [Fault, string]>([
    ['hang', 'KT3020'],
    ['503', 'KT3020'],
    ['409', 'KT3020'],
    ['cut', 'KT3020'],
    ['cut body', 'KT3020'],
    ['403', 'KT3021'],
    ['404', 'KT3024'],
    ['expired', 'KT3021'],
    ['skewed', 'KT3027'],
  ])('says within its time that %s goes on: %s', (fault, code) =>
    behind(
      (what) => (what.startsWith('PUT') ? 'none' : fault),
      async (store) => {
        await store.put('one', new Uint8Array(50_000))
        const begun = performance.now()
        expect(await codeOf(store.get('one'))).toBe(code)
        expect(performance.now() - begun).toBeLessThan(4000)
      },
    ),
  )

  test.each<readonly [Fault, RegExp]>([
    ['expired', /expired.*Renew the credentials/],
    ['skewed', /RequestTimeTooSkewed.*clock/],
  ])('is as it was when %s is over, and says before what to do', (fault, said) => {
    let on = false
    return behind(
      () => (on ? fault : 'none'),
      async (store, plain) => {
        await store.put('one', bytes('1'))
        on = true
        const error = await store
          .putIfAbsent('two', bytes('2'))
          .then(String, (thrown: unknown) => thrown as HostError)
        if (typeof error === 'string') throw new Error('it was let in')
        expect(`${error.why} ${error.fix}`).toMatch(said)
        on = false
        expect(await plain.get('two')).toBeUndefined()
        expect(await store.putIfAbsent('two', bytes('2'))).toBe(true)
        expect(await textOf(store, 'one')).toBe('1')
      },
    )
  })

  test('says that nobody knows when every answer to a put is lost, and asking again finds out', () =>
    behind(['cut', 'cut', 'cut', 'hang after', 'none'], async (store) => {
      expect(await codeOf(store.putIfAbsent('commit', bytes('ours')))).toBe('KT3020')
      expect(await store.putIfAbsent('commit', bytes('ours'))).toBe(false)
      expect(await textOf(store, 'commit')).toBe('ours')
    }))

  test('refuses wrong credentials and a bucket that is not there, and tells no secret', async () => {
    const place = await server.bucket()
    const secret = 'a-secret-that-no-log-may-have'
    const wrong = open(place, { credentials: { accessKeyId: 'ktaccesskey', secretAccessKey: secret } })
    const stranger = open(place, { credentials: { accessKeyId: 'nobody', secretAccessKey: secret } })
    const nowhere = open({ ...place, bucket: 'kt-no-such-bucket' })
    for (const store of [wrong, stranger]) {
      const error = await store.get('x').catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'KT3021', retry: 'never' })
      expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain(secret)
      expect((error as Error).cause).toBeUndefined()
    }
    expect(await codeOf(nowhere.get('x'))).toBe('KT3023')
    expect(await codeOf(nowhere.put('x', bytes('x')))).toBe('KT3023')
    expect(await codeOf(nowhere.list(''))).toBe('KT3023')
    for (const store of [wrong, stranger, nowhere]) store.close()
  })

  test('says so where nothing listens', async () => {
    const closed = createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    const store = open({ ...(await server.bucket()), endpoint: `http://127.0.0.1:${port}` }, QUICK)
    expect(await codeOf(store.get('x'))).toBe('KT3020')
    store.close()
  })

  test('keeps its promise to put only what is absent', async () => {
    const store = open(await server.bucket('deep/er'))
    await proveConditionalPut(store, random, 'here')
    expect(await store.list('')).toEqual([])
    store.close()
  })

  test(
    'lets one of many win, whatever becomes of their requests and answers',
    { timeout: 120_000 },
    async () => {
      const faults: readonly Fault[] = [
        '503',
        '409',
        '500',
        'cut',
        'cut after',
        'hang',
        'hang after',
        'cut body',
      ]
      for (let seed = 1; seed <= SEEDS; seed++) {
        const below = randomOf(seed)
        const fault = (): Fault => (below(3) === 0 ? faults[below(faults.length)]! : 'none')
        await behind(
          () => fault(),
          async (store, plain) => {
            for (let round = 0; round < 4; round++) {
              const path = `commit/${round}`
              const outcomes = await Promise.all(
                Array.from({ length: 6 }, (_, i) =>
                  store.putIfAbsent(path, bytes(`by ${i}`)).catch((error: { code: string }) => error.code),
                ),
              )
              const found = Number((await textOf(plain, path))?.slice(3) ?? -1)
              const won = outcomes.flatMap((outcome, i) => (outcome === true ? [i] : []))
              const unknown = outcomes.flatMap((outcome, i) => (outcome === 'KT3020' ? [i] : []))
              expect(won.length, `seed ${seed}`).toBeLessThanOrEqual(1)
              expect([...won, ...unknown], `seed ${seed}`).toContain(
                won.length > 0 ? found : won.length > 0 ? won[0] : found,
              )
              if (won.length > 0) expect(found).toBe(won[0])
            }
          },
          { timeoutMs: 150, triesMax: 5, backoffMs: 2 },
        )
      }
    },
  )
})

test('a store that lets two win, or shows another winner, is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kt-files-'))
  const whole = fileStore(folder)
  const careless: ObjectArchive = {
    ...whole,
    putIfAbsent: async (path, of) => (await whole.put(path, of), true),
  }
  const flattering: ObjectArchive = {
    ...whole,
    putIfAbsent: () => Promise.resolve(true),
    get: () => Promise.resolve(bytes('rival 0')),
  }
  const stale: ObjectArchive = { ...whole, get: () => Promise.resolve(bytes('something else')) }
  expect(await codeOf(proveConditionalPut(careless, random, 'here'))).toBe('KT3022')
  expect(await codeOf(proveConditionalPut(flattering, random, 'here'))).toBe('KT3022')
  expect(await codeOf(proveConditionalPut(stale, random, 'here'))).toBe('KT3022')
  expect(await codeOf(proveConditionalPut(whole, random, 'here'))).toBe('no error')
  expect(await whole.list('')).toEqual([])
  await rm(folder, { recursive: true })
})
