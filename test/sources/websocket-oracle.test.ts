import { describe, expect, test } from 'vitest'
import { compareMessages, fuzzAll, keptBytes } from './websocket-oracle.ts'

describe('our client and the one of ws', () => {
  test('hear the same messages of a server of ws, whatever their length, fragments and compression', async () => {
    for (let seed = 1; seed <= 20; seed++) await compareMessages(seed)
  })

  test('hear the same of a spoilt stream, say the same of it, end, and keep no memory', async () => {
    const before = await keptBytes()
    const { ended, broken, cut } = await fuzzAll(1, 401)
    // A fuzz that only ever breaks things at once tries little.
    expect(Math.min(ended!, broken!, cut!)).toBeGreaterThan(40)
    expect((await keptBytes()) - before).toBeLessThan(4 << 20)
  })
})
