import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Frame } from '../../graph/source.ts'
import { openCapture } from '../../sources/driver/capture.ts'
import { binance } from '../../sources/index.ts'
import { play, tickerPlan } from './replay-run.ts'

const SECOND = 1_000_000
const BEGIN = 1_700_000_000 * SECOND
const OF = { source: 'binance.spot', channel: 'ticker', symbol: 'BTCUSDT', connection: 1, epoch: 1 }

/** A tape of these messages, a second between them. */
const taped = async (texts: readonly string[]): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-letters-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const capture = openCapture({ folder }, binance.spot)
  texts.forEach((text, at) => {
    const frame = { ...OF, frame: at + 1, received: BEGIN + at * SECOND, read: () => {} }
    capture.frame({ ...frame, bytes: new TextEncoder().encode(text) } as unknown as Frame<never>)
  })
  await capture.close()
  return folder
}

const said = (u: number): string =>
  `{"stream":"btcusdt@bookTicker","data":{"u":${u},"s":"BTCUSDT","b":"99.0","B":"${u}","a":"101.0","A":"1"}}`
const TORN = '{"stream"'

describe('a message of a recording that cannot be mapped', () => {
  test.each([
    ['the first', [TORN, said(1), said(2)]],
    ['a later one', [said(1), TORN, said(2)]],
  ])('%s is a dead letter, and all others are read', async (_, texts) => {
    const { rows, deadLetters } = await play({ paths: [await taped(texts)], of: tickerPlan })
    expect(deadLetters).toBe(1)
    expect(rows['quote']!.filter(({ trust }) => trust === 'live').map(({ last }) => last)).toEqual([1, 2])
  })
})
