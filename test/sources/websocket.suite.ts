import { describe, expect, test } from 'vitest'
import { cases } from './websocket-cases.ts'
import { openStage } from './websocket-conformance.ts'
import { compareMessages, fuzzAll, keptBytes } from './websocket-oracle.ts'

const MINUTES = 600_000

describe('the WebSocket client, at length', () => {
  test('does what the RFCs ask, read in pieces of any length', async () => {
    const stage = await openStage()
    try {
      for (const one of await cases()) {
        if (one.bytes.length > 6000) continue
        for (let readBytes = 1; readBytes <= 300; readBytes += 7) await stage.play(one, readBytes)
      }
    } finally {
      stage.close()
    }
  }, MINUTES)

  test('hears what the client of ws hears', async () => {
    for (let seed = 1000; seed < 1300; seed++) await compareMessages(seed)
  }, MINUTES)

  test('ends, says and hears as the client of ws does on 10,000 spoilt streams', async () => {
    const before = await keptBytes()
    const ends = await fuzzAll(10_000, 20_000)
    expect(Object.values(ends).reduce((sum, count) => sum + count, 0)).toBe(10_000)
    expect((await keptBytes()) - before).toBeLessThan(8 << 20)
  }, MINUTES)
})
