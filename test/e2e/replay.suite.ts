import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Recorded } from '../../sources/replay.ts'
import { recorded as printed } from '../operators/recorded.ts'
import { hasRecordings, recordings } from '../recordings.ts'
import { kt, killTree, start, temporary } from './command.ts'
import { differing, standing } from './replay-quotes.ts'
import { of, play } from './replay-run.ts'
import { ReferenceBook } from './replay-seed.ts'

const SET_B = join(recordings, 'binance/demo-20240808-btc')
const SPOT_AND_USDM = [join(SET_B, 'spot*'), join(SET_B, 'usdm*')]
const SET_C = join(recordings, 'bybit/v5_spot_linear_btc_sol_20260809.jsonl.zst')
const b = hasRecordings('replays of set B', SET_B)
const c = hasRecordings('replays of set C', SET_C)

const MARKETS = [
  ['spot', 'binance:spot:BTC-USDT', ['spot_btcusdt_20240808.gz', 'spot_btcusdt_20240809.gz']],
  ['usdm', 'binance:perp:BTC-USDT', ['usdm_btcusdt_20240808.gz']],
] as const
const LONG = 600_000

interface Verified {
  readonly ok: boolean
  readonly digest: string
  readonly findings: readonly string[]
}

const argumentsOf = (source: string, folder: string, more: readonly string[]): readonly string[] => {
  const where = ['--source', `replay:${source}`, '--data', folder, '--port', '0']
  return ['graph', 'run', 'graph/basis.ts', ...where, '--quiet', ...more]
}

const run = async (source: string, folder: string, more: readonly string[] = []): Promise<void> => {
  const { code, err } = await kt(...argumentsOf(source, folder, more))
  expect(code, err).toBe(0)
}

const json = async <T>(...args: readonly string[]): Promise<T> => {
  const { out, err } = await kt(...args, '--json')
  if (out === '') throw new Error(err)
  return JSON.parse(out) as T
}

const verified = (folder: string, on = 'both'): Promise<Verified> =>
  json('verify', '--digest', '--on', on, '--data', folder)

/** A checksum of every file of a lake. */
const lakeOf = (folder: string): readonly string[] => {
  const names = globSync('**/*', { cwd: join(folder, 'lake') }).toSorted()
  const files = names.filter((name) => statSync(join(folder, 'lake', name)).isFile())
  const sum = (name: string) => createHash('sha256').update(readFileSync(join(folder, 'lake', name)))
  return files.map((name) => `${name} ${sum(name).digest('hex')}`)
}

/** Kill a run with all its processes once its log has grown to some bytes. */
const killed = async (
  source: string,
  folder: string,
  bytes: number,
  more: readonly string[],
): Promise<boolean> => {
  const { child, ended } = start(argumentsOf(source, folder, more))
  const state = { over: false }
  void ended.then(() => (state.over = true))
  while (!state.over && sizeOf(join(folder, 'log')) < bytes) await pause(20)
  const early = !state.over
  killTree(child)
  await ended
  return early
}

const sizeOf = (folder: string): number =>
  globSync('**/*', { cwd: folder })
    .map((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0)

/** Ids of the trades of the market, as they stand in the files: the insurance fund's are none. */
const tradesIn = (files: readonly string[]): readonly string[] =>
  files
    .flatMap((file) =>
      gunzipSync(readFileSync(join(SET_B, file)))
        .toString()
        .split('\n'),
    )
    .filter(
      (line) => line.includes('"e":"trade"') && (!line.includes('"X":') || line.includes('"X":"MARKET"')),
    )
    .map((line) => /"t":(\d+)/.exec(line)![1]!)

describe.skipIf(!b)('the recorded spot and futures of August 2024', () => {
  test(
    'make books equal to the printed best prices, were the snapshot the whole book',
    async () => {
      const seeds = MARKETS.map(([market, , files]) => {
        const { deltas } = printed(...files)!
        const { last, received } = deltas.find((row) => row.snapshot)!
        const asked = { received, source: `binance.${market}`, symbol: 'BTCUSDT', limit: 0 }
        return new ReferenceBook(deltas, last!).tape(asked)
      })
      const mine = new Set<Uint8Array>()
      const extra = seeds.map((tape) => ({
        ...tape,
        next: async () => {
          const batch = await tape.next()
          for (const one of batch ?? []) if (one.what === 'seed') mine.add(one.bytes)
          return batch
        },
      }))
      const drop = (one: Recorded): boolean =>
        (one.what === 'message' && one.channel === 'trade') || (one.what === 'seed' && !mine.has(one.bytes))
      const played = await play({ paths: SPOT_AND_USDM, drop, extra })
      for (const [market, instrument, files] of MARKETS) {
        const states = standing(of(played, 'bookDelta', instrument), of(played, 'quote', instrument))
        const { shared, different } = differing(states, printed(...files)!.tickers)
        console.info(
          `${market}: ${shared} ids with a live quote and a bookTicker, ${different.length} differ`,
        )
        expect(different).toEqual([])
        // The graph keeps a thousand levels a side, which the price of the futures leaves as before.
        expect(shared).toBeGreaterThan(market === 'spot' ? 1000 : 300)
      }
    },
    LONG,
  )

  test(
    'are the same trades by id in ClickHouse, in the lake and in the recording, also after a kill',
    async () => {
      using folder = temporary()
      const early = await killed(SPOT_AND_USDM.join(), folder.path, 2_000_000, [])
      expect(early).toBe(true)
      await run(SPOT_AND_USDM.join(), folder.path)
      const { findings, digest } = await verified(folder.path)
      expect(findings).toEqual([])
      for (const [market, instrument, files] of MARKETS) {
        const query = `SELECT id FROM trade WHERE instrument = '${instrument}' ORDER BY _part, _off, _row`
        const ids = async (engine: string) =>
          (await json<{ id: string }[]>('sql', '--on', engine, query, '--data', folder.path)).map(
            ({ id }) => id,
          )
        const recording = tradesIn(files)
        expect(recording).toHaveLength(market === 'spot' ? 9757 + 10_147 : 21_313)
        expect(await ids('lake')).toEqual(recording)
        expect(await ids('clickhouse')).toEqual(recording)
        console.info(`${market}: ${recording.length} trades, the same in recording, ClickHouse and lake`)
      }
      // What was killed and taken up again as processes is what one process does at once.
      expect(digest).toBe((await play({ paths: SPOT_AND_USDM })).digest)
    },
    LONG,
  )
})

describe.skipIf(!c)('the recorded Bybit of August 2026, through the command line', () => {
  test(
    'makes the same rows and the same lake, byte for byte, in two fresh folders',
    async () => {
      using one = temporary()
      using other = temporary()
      await run(SET_C, one.path)
      await run(SET_C, other.path)
      const files = lakeOf(one.path)
      expect(files.filter((file) => file.includes('_delta_log')).length).toBeGreaterThan(3)
      expect(lakeOf(other.path)).toEqual(files)
      const checked = await verified(one.path)
      expect(checked.findings).toEqual([])
      expect((await verified(other.path, 'lake')).digest).toBe(checked.digest)
      expect((await play({ paths: [SET_C] })).digest).toBe(checked.digest)
      console.info(`set C: ${files.length} files of the lake are the same`)
    },
    LONG,
  )

  test.each([
    ['in other batches', [['--linger', '50', '--rows-max', '100']]],
    ['ten times as fast as it was', [['--speed', '10']]],
    ['stopped in the middle, and taken up again', [['--max-events', '500'], []]],
    ['with states made again from the log after a stop', [['--max-events', '700'], ['--rebuild']]],
  ] as const)(
    'has the same rows %s',
    async (_, runs) => {
      using folder = temporary()
      for (const more of runs) await run(SET_C, folder.path, more)
      const { findings, digest } = await verified(folder.path, 'lake')
      expect(findings).toEqual([])
      expect(digest).toBe((await play({ paths: [SET_C] })).digest)
    },
    LONG,
  )

  test(
    'has the same rows when it is killed in the middle, and taken up again',
    async () => {
      using folder = temporary()
      expect(await killed(SET_C, folder.path, 60_000, ['--speed', '10'])).toBe(true)
      await run(SET_C, folder.path)
      const { findings, digest } = await verified(folder.path)
      expect(findings).toEqual([])
      expect(digest).toBe((await play({ paths: [SET_C] })).digest)
    },
    LONG,
  )
})
