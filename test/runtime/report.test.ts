import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HostError } from '../../graph/error.ts'
import { systemReport } from '../../runtime/driver/report.ts'
import type { ReportOptions, SystemReport } from '../../runtime/driver/report.ts'

const withReport = async (
  options: ReportOptions,
  use: (system: SystemReport) => Promise<void>,
): Promise<readonly Record<string, unknown>[]> => {
  const folder = await mkdtemp(join(tmpdir(), 'kt-report-'))
  try {
    const file = join(folder, 'logs', 'kt.log')
    const system = systemReport({ ...options, file })
    await use(system)
    await system.close()
    const text = await readFile(file, 'utf8')
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const numbers = async ({ metrics }: SystemReport, name: string): Promise<readonly string[]> =>
  (await metrics()).split('\n').filter((line) => line.startsWith(name))

describe('the report', () => {
  test('counts what happened, by names that Prometheus reads', async () => {
    await withReport({}, async (system) => {
      const { report } = system
      report.stepDurable({ shard: 's', rows: 10, bytes: 500, ms: 4 })
      report.stepDurable({ shard: 's', rows: 5, bytes: 300, ms: 40 })
      report.logBacklog({ shard: 's', bytes: 50, bytesMax: 200 })
      report.sinkCommitted({ sink: 'clickhouse.trade', rows: 7, ms: 30, lagMs: 250 })
      report.gapOpened({
        venue: 'binance',
        channel: 'trade',
        instrument: 'binance:spot:BTC-USDT',
        proof: 'proven',
        cause: 'lost',
      })
      report.frameDeadLettered({
        source: 'binance.spot',
        channel: 'trade',
        symbol: 'BTCUSDT',
        code: 'KT2001',
        error: 'no price',
      })
      expect(system.contentType).toContain('text/plain')
      expect(await numbers(system, 'kt_log_rows_total')).toEqual(['kt_log_rows_total{shard="s"} 15'])
      expect(await numbers(system, 'kt_step_durable_seconds_bucket{le="0.005"')).toEqual([
        'kt_step_durable_seconds_bucket{le="0.005",shard="s"} 1',
      ])
      expect(await numbers(system, 'kt_step_durable_seconds_count')).toEqual([
        'kt_step_durable_seconds_count{shard="s"} 2',
      ])
      expect(await numbers(system, 'kt_log_backlog_ratio')).toEqual(['kt_log_backlog_ratio{shard="s"} 0.25'])
      expect(await numbers(system, 'kt_sink_lag_seconds')).toEqual([
        'kt_sink_lag_seconds{sink="clickhouse.trade"} 0.25',
      ])
      expect(await numbers(system, 'kt_gaps_opened_total')).toEqual([
        'kt_gaps_opened_total{venue="binance",channel="trade",proof="proven",cause="lost"} 1',
      ])
      expect(await numbers(system, 'kt_dead_letters_total')).toEqual([
        'kt_dead_letters_total{source="binance.spot",channel="trade",code="KT2001"} 1',
      ])
    })
  })

  test('turns totals into counts, also of a shard that began again', async () => {
    await withReport({}, async (system) => {
      for (const [frames, trade] of [
        [10, 8],
        [25, 20],
        [4, 3],
      ] as const)
        system.report.shardCounted({ shard: 's', frames, rows: { trade } })
      expect(await numbers(system, 'kt_frames_total')).toEqual(['kt_frames_total{shard="s"} 29'])
      expect(await numbers(system, 'kt_rows_total')).toEqual(['kt_rows_total{shard="s",schema="trade"} 23'])
    })
  })

  test('counts how messages of channels were read, by reason', async () => {
    await withReport({}, async ({ report, ...system }) => {
      for (const [scanned, count] of [
        [0, 2],
        [40, 3],
      ] as const)
        report.channelRead({
          source: 'b',
          channel: 'trade',
          scanned,
          parsed: new Map([
            ['a new shape', count],
            ['it breaks the contract', 1],
          ]),
        })
      expect(await numbers({ report, ...system }, 'kt_scanned_frames_total')).toEqual([
        'kt_scanned_frames_total{source="b",channel="trade"} 40',
      ])
      expect(await numbers({ report, ...system }, 'kt_parsed_frames_total')).toEqual([
        'kt_parsed_frames_total{source="b",channel="trade",reason="a new shape"} 3',
        'kt_parsed_frames_total{source="b",channel="trade",reason="it breaks the contract"} 1',
      ])
    })
  })

  test('knows which connections are open, and sets a state that no book is in to zero', async () => {
    await withReport({}, async (system) => {
      for (const connection of [1, 2, 2])
        system.report.connection({ source: 'b', connection, state: 'up', why: '' })
      system.report.connection({ source: 'b', connection: 1, state: 'down', why: 'closed by the venue' })
      expect(await numbers(system, 'kt_connections_up')).toEqual(['kt_connections_up{source="b"} 1'])
      system.report.bookStates({ shard: 's', books: { live: 3, gap: 1 } })
      system.report.bookStates({ shard: 's', books: { live: 4 } })
      expect(await numbers(system, 'kt_books')).toEqual([
        'kt_books{shard="s",trust="live"} 4',
        'kt_books{shard="s",trust="gap"} 0',
      ])
    })
  })

  test('writes lines of fields, from the level on that was asked for', async () => {
    const lines = await withReport({ level: 'warn' }, async ({ report }) => {
      report.note('info', 'not this one', {})
      report.checkpoint({ shard: 's', step: 1, bytes: 2, ms: 3 })
      const error = new HostError('KT3005', 'the disk refused', {
        fix: 'Make space.',
        facts: { errno: 'ENOSPC' },
        retry: 'never',
      })
      report.logRefused({ shard: 's', error })
      report.note('warn', 'slow venue', { source: 'b' })
      report.shardDied({ shard: 's', error: new Error('why') })
    })
    expect(lines.map(({ msg }) => msg)).toEqual(['log refused', 'slow venue', 'shard died'])
    expect(lines[0]).toMatchObject({
      shard: 's',
      code: 'KT3005',
      error: 'the disk refused',
      fix: 'Make space.',
      errno: 'ENOSPC',
    })
    expect(lines[0]!['time']).toMatch(/^\d{4}-.*Z$/)
    expect(lines[2]!['error']).toContain('report.test.ts')
  })
})
