import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { registryServer } from '../runtime/registry-server.ts'
import type { RegistryServer } from '../runtime/registry-server.ts'
import { hasRecordings, recordings } from '../recordings.ts'
import { kt, killTree, start, temporary } from './command.ts'
import { graphInFormats } from './formats-graph.ts'

const LONG = 300_000
const SET_C = join(recordings, 'bybit/v5_spot_linear_btc_sol_20260809.jsonl.zst')
const c = hasRecordings('replays of set C', SET_C)

let registry: RegistryServer
beforeAll(async () => void (registry = await registryServer()))
afterAll(() => registry.close())

interface Verified {
  readonly findings: readonly string[]
  readonly digest: string
  readonly topics: readonly { readonly topic: string; readonly log: number; readonly lake: number }[]
}

/** A command that knows of the registry, which `graph` commands need; others find it in the run. */
const withRegistry = (...args: readonly string[]) =>
  start(args, { KT_SCHEMA_REGISTRY_URL: registry.url }).ended

const verified = async (...args: readonly string[]): Promise<Verified> => {
  const { out, err } = await kt('verify', '--json', ...args)
  if (out === '') throw new Error(err)
  return JSON.parse(out) as Verified
}

describe('a graph with topics in JSON and Avro', () => {
  test(
    'loses and doubles nothing when the whole tree is killed, and is made again from its topics',
    async () => {
      using folder = temporary()
      const formats = { trade: 'json', 'book-delta': 'avro', quote: 'avro', candle: 'json' } as const
      const file = graphInFormats(folder.path, 'basis.ts', formats)
      const where = ['--data', join(folder.path, 'data')]
      const sim = ['--source', 'sim', '--port', '0', '--pairs', '8', '--rate', '800', ...where]
      const planned = await withRegistry('graph', 'plan', file, ...where)
      expect([planned.code, planned.out]).toEqual([
        2,
        expect.stringContaining('+ schema    basis.quote-value: AVRO, would be registered') as unknown,
      ])
      for (const ms of [6000, 9000, 7000]) {
        const environment = { KT_SCHEMA_REGISTRY_URL: registry.url }
        const { child, ended } = start(['graph', 'run', file, ...sim], environment)
        await pause(ms)
        killTree(child)
        await ended
      }
      // What the registry said before holds while it is away.
      registry.instead = async () => ({ status: 503, body: {} })
      const { code, err } = await withRegistry('graph', 'run', file, ...sim, '--for', '15s')
      expect(code, err).toBe(0)
      const doctor = await withRegistry('doctor', ...where)
      expect(doctor.out).toMatch(/✗ registry /)
      const { findings, topics } = await verified(...where)
      expect(findings).toEqual([])
      const rows = new Map(topics.map(({ topic, log }) => [topic, log]))
      for (const topic of ['trade', 'book-delta', 'quote']) expect(rows.get(topic)).toBeGreaterThan(1000)
      registry.instead = () => Promise.resolve(undefined)
      expect((await withRegistry('graph', 'plan', file, ...where)).code).toBe(0)
      expect((await withRegistry('doctor', ...where)).out).toMatch(/✓ registry +answers at http/)
      const again = await kt('replay', '--from-topic', 'book-delta', 'trade', '--into', 'second', ...where)
      expect(again.code, again.err).toBe(0)
      const { out } = await kt('topic', 'tail', 'quote', '-n', '2', ...where)
      expect(
        out
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
      ).toMatchObject([
        { _row: 0, _off: rows.get('quote')! - 2 },
        { _row: 0, _off: rows.get('quote')! - 1 },
      ])
    },
    LONG,
  )

  test.skipIf(!c)(
    'has the rows of a recording that it has without formats, also in the stages behind its topics',
    async () => {
      using folder = temporary()
      const digests: string[] = []
      for (const formats of [{}, { trade: 'json', 'trade-by-asset': 'avro', candle: 'json' } as const]) {
        const own = join(folder.path, String(digests.length))
        mkdirSync(own)
        const file = graphInFormats(own, 'candles.ts', formats)
        const data = join(own, 'data')
        const args = ['--source', `replay:${SET_C}`, '--data', data, '--port', '0', '--quiet']
        const { code, err } = await withRegistry('graph', 'run', file, ...args)
        expect(code, err).toBe(0)
        const { digest, findings } = await verified('--digest', '--data', data)
        expect(findings).toEqual([])
        digests.push(digest)
      }
      expect(digests[0]).toMatch(/^[0-9a-f]{64}$/)
      expect(digests[1]).toBe(digests[0])
    },
    LONG,
  )

  test(
    'does not begin on a registry that refuses its schemas, does not answer, or is not named',
    async () => {
      using folder = temporary()
      const file = graphInFormats(folder.path, 'basis.ts', { trade: 'json', quote: 'avro' })
      const run = [
        'graph',
        'run',
        file,
        '--source',
        'sim',
        '--data',
        join(folder.path, 'data'),
        '--port',
        '0',
      ]
      const unnamed = await start(run).ended
      expect([unnamed.code, unnamed.err]).toEqual([64, expect.stringContaining('KT6432') as unknown])
      const away = await start(run, { KT_SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1' }).ended
      expect([away.code, away.err]).toEqual([69, expect.stringContaining('KT3040') as unknown])
      registry.instead = async (asked) =>
        asked.includes('basis.quote-value')
          ? asked.startsWith('POST /compatibility')
            ? {
                status: 200,
                body: { is_compatible: false, messages: ['READER_FIELD_MISSING_DEFAULT_VALUE'] },
              }
            : { status: 404, body: { error_code: 40403, message: 'Schema not found' } }
          : undefined
      for (const args of [run, ['graph', 'plan', file, '--data', join(folder.path, 'data')]]) {
        const { code, err } = await withRegistry(...args)
        expect([code, err]).toEqual([65, expect.stringContaining('KT1029') as unknown])
        expect(err).toContain('READER_FIELD_MISSING_DEFAULT_VALUE')
      }
      registry.instead = () => Promise.resolve(undefined)
      expect(existsSync(join(folder.path, 'data', 'log'))).toBe(false)
      const planned = await kt('graph', 'plan', file, '--data', join(folder.path, 'data'))
      expect(planned.out).toContain('topic "quote" is avro: a run needs KT_SCHEMA_REGISTRY_URL')
    },
    LONG,
  )
})
