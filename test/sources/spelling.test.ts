import { expect, test } from 'vitest'
import { spelling, spells } from '../../sources/mapping/spelling.ts'
import { randomOf } from '../random.ts'

const CASES = 50_000

test('bytes spell a text where they are the same, whatever stands around them', () => {
  const below = randomOf(5)
  const word = (length: number): string => Array.from({ length }, () => 'aBé'[below(3)]).join('')
  let same = 0
  for (let i = 0; i < CASES; i++) {
    const text = word(below(10))
    const read = below(2) === 0 ? text : word(below(10))
    const before = Buffer.from(word(below(7)))
    const bytes = new Uint8Array(Buffer.concat([before, Buffer.from(read), Buffer.from(word(8))]))
    const [from, to] = [before.length, before.length + Buffer.byteLength(read)]
    if (read === text) same++
    expect(spells(new DataView(bytes.buffer), from, to, spelling(text)), `${read} ${text}`).toBe(read === text)
  }
  expect(same).toBeGreaterThan(CASES / 2)
  expect(same).toBeLessThan(CASES * 0.6)
})
