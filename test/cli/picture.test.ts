import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { planOf } from '../../cli/graph-file.ts'
import { layout } from '../../cli/picture/layout.ts'
import type { Box } from '../../cli/picture/layout.ts'
import { svg } from '../../cli/picture/svg.ts'
import basisGraph from '../../graph/basis.ts'
import { describe as described } from '../../graph/describe.ts'

const basis = described(planOf(basisGraph))
const inside = (box: Box, x: number, y: number): boolean =>
  x > box.x + 0.5 && x < box.x + box.width - 0.5 && y > box.y && y < box.y + box.height

describe('the picture of a graph', () => {
  test('has every market, operator and topic of its author once, and nothing that kt adds', () => {
    const titles = layout(basis).boxes.map(({ title }) => title)
    const wanted = basis.nodes.filter(
      ({ kind, name }) => kind !== 'sink' && kind !== 'source' && !/^(kt|sequence)\./.test(name),
    )
    const markets = basis.nodes
      .filter(({ kind }) => kind === 'source')
      .map(({ name }) => name.replace(/\.[^.]+$/, ''))
    expect(titles.toSorted()).toEqual([...new Set(markets), ...wanted.map(({ name }) => name)].toSorted())
  })

  test('says who stores a topic', () => {
    const { boxes } = layout(basis)
    const stored = (name: string): readonly string[] => boxes.find(({ title }) => title === name)!.lines
    expect(stored('book-delta')).toEqual(['lake'])
    expect(stored('basis')).toEqual(['ClickHouse', 'lake'])
  })

  test('has no box over another, and no edge through a box', () => {
    const { boxes, edges, width, height } = layout(basis)
    for (const one of boxes) {
      expect(one.x >= 0 && one.y >= 0 && one.x + one.width <= width && one.y + one.height <= height).toBe(
        true,
      )
      for (const other of boxes)
        if (one !== other)
          expect(
            one.x + one.width <= other.x ||
              other.x + other.width <= one.x ||
              one.y + one.height <= other.y ||
              other.y + other.height <= one.y,
            `${one.title} over ${other.title}`,
          ).toBe(true)
    }
    for (const { points } of edges)
      for (const [x, y] of points)
        for (const box of boxes) expect(inside(box, x, y), `${x},${y} in ${box.title}`).toBe(false)
  })

  test('is that of the README: KT_UPDATE=1 draws it anew', () => {
    const file = join(import.meta.dirname, '../../docs/picture/graph.svg')
    const drawn = svg(basis)
    if (process.env['KT_UPDATE'] === '1') writeFileSync(file, drawn)
    expect(readFileSync(file, 'utf8')).toBe(drawn)
    expect(drawn.length).toBeLessThan(20_000)
  })
})
