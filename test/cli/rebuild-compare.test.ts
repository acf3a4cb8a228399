import { expect, test } from 'vitest'
import { remadeText } from '../../cli/rebuild-compare.ts'

const holding = (rows: number) => ({ rows, places: rows, digest: `digest of ${rows}`, records: new Map() })

test('what was made again is said to be equal, other, new, or without rows here and there', () => {
  const text = remadeText([
    { topic: 'quote', rebuilt: holding(5), run: holding(5) },
    { topic: 'basis', rebuilt: holding(5), run: holding(4) },
    { topic: 'candle', rebuilt: holding(5), run: undefined },
    { topic: 'funding', rebuilt: holding(0), run: undefined },
    { topic: 'mark', rebuilt: holding(0), run: holding(3) },
  ])
  const [, , ...lines] = text.split('\n')
  expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['quote', '5', '5', 'equal, row for row'],
    ['basis', '5', '4', 'differs'],
    ['candle', '5', '-', 'new, the run has none'],
    ['funding', '0', '-', 'empty, as in the run'],
    ['mark', '0', '3', 'differs'],
  ])
})
