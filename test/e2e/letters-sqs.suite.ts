import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Frame } from '../../graph/source.ts'
import { openLetters, writeLetters } from '../../cli/letters.ts'
import { openCapture } from '../../sources/driver/capture.ts'
import { binance } from '../../sources/index.ts'
import { faultProxy } from '../s3-proxy.ts'
import { CREDENTIALS, sqsThere, startSqs } from '../sqs-server.ts'
import type { SqsServer } from '../sqs-server.ts'
import { start, temporary } from './command.ts'
import type { Ended } from './command.ts'

const SECOND = 1_000_000
const BEGIN = 1_700_000_000 * SECOND
const OF = { source: 'binance.spot', channel: 'ticker', symbol: 'BTCUSDT', connection: 1, epoch: 1 }
/** Of 30 messages, these are none. */
const GARBAGE = [0, 7, 8, 19, 29]

const said = (u: number): string =>
  `{"stream":"btcusdt@bookTicker","data":{"u":${u},"s":"BTCUSDT","b":"99.0","B":"${u}","a":"101.0","A":"1"}}`

/** A tape of thirty messages, a second between them, five of them torn. */
const taped = async (folder: string): Promise<void> => {
  const capture = openCapture({ folder }, binance.spot)
  for (let at = 0; at < 30; at++) {
    const text = GARBAGE.includes(at) ? `{"stream":"btcusdt@bookTicker","data":{"u":${at},` : said(at + 1)
    const frame = { ...OF, frame: at + 1, received: BEGIN + at * SECOND, read: () => {} }
    capture.frame({ ...frame, bytes: new TextEncoder().encode(text) } as unknown as Frame<never>)
  }
  await capture.close()
}

describe.skipIf(!sqsThere)('dead letters of a run in SQS (skipped where there is no moto)', () => {
  let server: SqsServer
  beforeAll(async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', CREDENTIALS.accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', CREDENTIALS.secretAccessKey)
    server = await startSqs()
  }, 120_000)
  afterAll(() => server.stop())

  const kt = (queue: string, ...words: readonly string[]): Promise<Ended> =>
    start(words, { KT_DLQ: queue }).ended
  const run = async (queue: string, path: string): Promise<Ended> => {
    await taped(join(path, 'tape'))
    const source = ['--source', `replay:${join(path, 'tape')}`]
    return kt(
      queue,
      'graph',
      'run',
      'graph/ticker-basis.ts',
      ...source,
      '--data',
      join(path, 'run'),
      '--port',
      '0',
    )
  }
  const listed = async (
    queue: string,
    data: string,
  ): Promise<readonly { readonly id: string; readonly frame: number }[]> =>
    JSON.parse((await kt(queue, 'dlq', 'list', '--json', '--data', data)).out)

  test(
    'arrive, are listed, shown, read again to the same rows however often, and removed',
    { timeout: 120_000 },
    async () => {
      using folder = temporary()
      const [data, queue] = [join(folder.path, 'run'), await server.queue()]
      const ran = await run(queue, folder.path)
      expect(ran.code, ran.err).toBe(0)
      const bad = await listed(queue, data)
      expect(bad.map(({ frame }) => frame - 1)).toEqual(GARBAGE)
      const shown = await kt(queue, 'dlq', 'show', bad[1]!.id, '--data', data)
      expect(shown.out).toContain('"u":7')

      // What the log could not take in time is whole, and delivered twice by a queue that may do so.
      const letters = await writeLetters(data, () => {}, { KT_DLQ: queue })
      const good = { ...OF, frame: 99, received: BEGIN + 99 * SECOND, mapping: 'm', error: 'KT4010 late' }
      for (let twice = 0; twice < 2; twice++)
        letters.add({ ...good, bytes: new TextEncoder().encode(said(99)) })
      await letters.close()
      const rows = async (name: string): Promise<string> => {
        const out = join(folder.path, name)
        const again = await kt(queue, 'dlq', 'replay', '--out', out, '--data', data)
        expect([again.code, again.err]).toEqual([
          2,
          expect.stringContaining('1 of 6 letters map now, to 1 rows'),
        ])
        return readFileSync(out, 'utf8')
      }
      const first = await rows('first')
      expect(JSON.parse(first)).toMatchObject({ _row: 0, _schema: 'ticker', bid_size: 99 })
      expect(await rows('second')).toBe(first)

      const purged = await kt(queue, 'dlq', 'replay', '--purge', '--data', data)
      expect(purged.err).toContain('1 of 6 letters map now')
      expect((await listed(queue, data)).map(({ id }) => id)).toEqual(bad.map(({ id }) => id))
      expect((await kt(queue, 'dlq', 'purge', bad[0]!.id, '--data', data)).err).toContain(
        '1 dead letters are removed',
      )
      expect((await kt(queue, 'dlq', 'purge', '--all', '--data', data)).err).toContain(
        '4 dead letters are removed',
      )
      expect(await listed(queue, data)).toEqual([])
    },
  )

  test(
    'of a queue that is not there are in files when the run ends, and shown with those of the queue',
    { timeout: 120_000 },
    async () => {
      using folder = temporary()
      const data = join(folder.path, 'run')
      const begun = Date.now()
      const ran = await run('http://127.0.0.1:9/000000000000/none', folder.path)
      expect(ran.code, ran.err).toBe(0)
      expect(Date.now() - begun).toBeLessThan(60_000)
      const log = readFileSync(join(data, 'logs', 'shard.log'), 'utf8')
      expect(log).toContain('KT3025')
      expect(log).toContain('KT3026')
      expect(ran.err).toContain('5 dead letters are in files, for the queue did not take them [KT3026]')
      const asked = await kt('http://127.0.0.1:9/000000000000/none', 'dlq', 'list', '--data', data)
      expect([asked.code === 0, asked.err]).toEqual([false, expect.stringContaining('KT3025')])
      const queue = await server.queue()
      expect((await listed(queue, data)).map(({ frame }) => frame - 1)).toEqual(GARBAGE)
      expect((await kt(queue, 'dlq', 'purge', '--all', '--data', data)).err).toContain(
        '5 dead letters are removed',
      )
      expect(await listed(queue, data)).toEqual([])
    },
  )

  test(
    'of a queue that goes away in the middle are each there once in the end',
    { timeout: 120_000 },
    async () => {
      using folder = temporary()
      const data = join(folder.path, 'run')
      const queue = await server.queue()
      let away = false
      const proxy = await faultProxy(server.endpoint, () => (away ? 'cut after' : 'none'))
      const env = { KT_DLQ: `${proxy.endpoint}${new URL(queue).pathname}` }
      const refused: string[] = []
      const letters = await writeLetters(data, ({ code }) => refused.push(code), env)
      const add = (frame: number): void => {
        const letter = { ...OF, frame, received: BEGIN + frame, mapping: 'm', error: 'KT2003 torn' }
        letters.add({ ...letter, bytes: new TextEncoder().encode('{') })
      }
      for (let frame = 1; frame <= 12; frame++) add(frame)
      await expect.poll(() => proxy.seen.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(2)
      // From now on what is sent arrives, and nobody hears of it: it goes to the files as well.
      away = true
      for (let frame = 13; frame <= 20; frame++) add(frame)
      await expect.poll(() => refused.length, { timeout: 30_000 }).toBeGreaterThan(0)
      await letters.close()
      await proxy.stop()
      expect([refused[0], refused.at(-1)]).toEqual(['KT3025', 'KT3026'])
      const { store, close } = await openLetters(data, { KT_DLQ: queue })
      const frames: number[] = []
      const ids = new Set<string>()
      for await (const { id, letter } of store.letters()) {
        frames.push(letter.frame)
        ids.add(id)
      }
      expect(frames.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1))
      expect(await store.remove(ids)).toBe(20)
      for await (const one of store.letters()) expect(one).toBeUndefined()
      await close()
    },
  )
})
