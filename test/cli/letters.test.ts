import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { instrumentsIn, reread } from '../../cli/letters-replay.ts'
import { loadGraph, planOf } from '../../cli/graph-file.ts'
import { openRecording } from '../../sources/driver/recording.ts'
import { binance } from '../../sources/index.ts'
import type { DeadLetter } from '../../graph/port.ts'
import type { BookDelta } from '../../market/event.ts'
import { instrument } from '../../market/system.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { FileDeadLetters } from '../../runtime/driver/dead-letters.ts'
import { deltaOf, tradeOf } from '../e2e/bad-world.ts'
import { kt, temporary } from '../e2e/command.ts'
import { memoryLog, recordsOf } from '../sinks/lake-world.ts'

const TIME = 1_770_000_000_000_000

const listed = {
  venue: 'binance',
  instrument: 'binance:spot:BTC-USDT',
  source: 'binance.spot',
  symbol: 'BTCUSDT',
  kind: 'spot',
  base: 'BTC',
  quote: 'USDT',
  settle: 'USDT',
  multiplier: 1,
  contractSize: 1,
  inverse: false,
  tickSize: 0.01,
  lotSize: 0.001,
  status: 'trading',
  expiry: null,
  time: TIME,
  received: TIME,
}
const known = [{ source: 'binance.spot', row: listed }]

const letter = (frame: number, message: object | string, changes: Partial<DeadLetter> = {}): DeadLetter => ({
  source: 'binance.spot',
  channel: 'trade',
  connection: 1,
  epoch: 1,
  frame,
  received: TIME + frame,
  symbol: undefined,
  mapping: 'old',
  error: 'KT2003 a field was missing',
  bytes: new TextEncoder().encode(typeof message === 'string' ? message : JSON.stringify(message)),
  ...changes,
})

const good = letter(1, tradeOf('BTCUSDT', 7))
const bad = letter(2, tradeOf('BTCUSDT', 8, { p: 'no price' }))

describe('dead letters', () => {
  test('are read again by the reader of a run: all rows of a frame, or the error, and each frame once', async () => {
    const plan = planOf(await loadGraph('graph/basis.ts'))
    const stranger = letter(3, tradeOf('BTCUSDT', 9), { source: 'nobody.spot' })
    const letters = [bad, good, good, stranger].map((one, i) => ({ id: String(i), letter: one }))
    const [first, second, third, ...rest] = reread(plan, letters, known)
    expect(rest).toEqual([])
    expect(first).toMatchObject({ id: '1', error: undefined })
    expect(first!.rows).toMatchObject([
      {
        schema: 'trade',
        row: { instrument: 'binance:spot:BTC-USDT', id: '7', price: 1.5, received: TIME + 1 },
      },
    ])
    expect(second).toMatchObject({ id: '0', rows: [] })
    expect(second!.error).toMatch(/^KT\d{4} /)
    expect(third!.error).toBe('the graph does not read nobody.spot.trade')
  })

  test('keep the levels of each book change, whatever is read after it', async () => {
    const plan = planOf(await loadGraph('graph/basis.ts'))
    const letters = [1, 2].map((at) => ({
      id: String(at),
      letter: letter(at, deltaOf('BTCUSDT', 100 + at, { b: [[`${at}`, '1']] }), { channel: 'book' }),
    }))
    const read = reread(plan, letters, known)
    const bids = read.flatMap(({ rows }) => rows).map(({ row }) => (row as BookDelta).bidPrices)
    expect(bids.map((prices) => [...prices])).toEqual([[1], [2]])
  })

  test('name their symbols as the log of the run does', async () => {
    const older = { ...listed, instrument: 'binance:spot:XBT-USDT' }
    const log = memoryLog(recordsOf(instrument, 'kt.instrument', 0, [[older], [listed]]))
    const [one, ...rest] = await instrumentsIn(log)
    expect(rest).toEqual([])
    expect(one).toMatchObject({
      source: 'binance.spot',
      row: { instrument: 'binance:spot:BTC-USDT', symbol: 'BTCUSDT' },
    })
  })

  test('are listed, shown, read again, taped and removed by commands', { timeout: 60_000 }, async () => {
    using folder = temporary()
    const run = { graph: 'basis', file: 'graph/basis.ts', source: 'sim', plan: null }
    mkdirSync(join(folder.path, 'dead-letters'))
    writeFileSync(join(folder.path, 'run.json'), JSON.stringify(run))
    const letters = new FileDeadLetters(join(folder.path, 'dead-letters'))
    for (const one of [good, bad]) letters.add(one)
    await letters.close()
    const log = await segmentLog(join(folder.path, 'log'))
    const writer = await log.write('basis/0')
    const on = ['--data', folder.path]
    const rows = join(folder.path, 'rows.jsonl')
    const tape = join(folder.path, 'tape')
    const unnamed = await kt('dlq', 'replay', '--purge', ...on)
    expect([unnamed.code, unnamed.err]).toEqual([2, expect.stringContaining('0 of 2 letters map now')])
    expect(unnamed.out).toContain('knows its instrument')
    const [record] = recordsOf(instrument, 'kt.instrument', 0, [[listed]])
    await writer.append({ shard: 'basis/0', step: 1, time: TIME, inputs: [], records: [record!] })
    await writer.close()
    await log.close()
    const list = JSON.parse((await kt('dlq', 'list', '--json', ...on)).out) as readonly {
      readonly id: string
    }[]
    expect(list.map(({ id }) => id)).toEqual(['1.1', '1.2'])
    expect((await kt('dlq', 'show', '1.2', ...on)).out).toContain('no price')
    const again = await kt('dlq', 'replay', '--out', rows, '--tape', tape, '--purge', ...on)
    expect([again.code, again.err]).toEqual([2, expect.stringContaining('1 of 2 letters map now, to 1 rows')])
    expect(JSON.parse(readFileSync(rows, 'utf8'))).toMatchObject({
      _schema: 'trade',
      _row: 0,
      id: '7',
      price: 1.5,
    })
    const { has } = await openRecording({ paths: [tape], sources: [binance.spot] })
    expect(has).toMatchObject([{ channel: 'trade', frames: 1 }])
    expect((await kt('dlq', 'purge', ...on)).code).toBe(64)
    expect((await kt('dlq', 'purge', '1.1', ...on)).err).toContain('KT6424')
    expect((await kt('dlq', 'purge', '--all', ...on)).code).toBe(0)
    expect(JSON.parse((await kt('dlq', 'list', '--json', ...on)).out)).toEqual([])
  })
})
