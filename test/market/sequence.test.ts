import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { continues } from '../../market/sequence.ts'

describe('the gap rule', () => {
  test('a row that begins right after what was applied applies', () => {
    expect(continues(10, 11, 11)).toBe('apply')
    expect(continues(10, 11, 15)).toBe('apply')
  })

  test('a row that overlaps what was applied, and goes beyond it, applies', () => {
    expect(continues(10, 3, 11)).toBe('apply')
    expect(continues(10, 10, 12)).toBe('apply')
  })

  test('a row of which everything was applied is a repeat, also where it ends at the applied id', () => {
    expect(continues(10, 8, 10)).toBe('repeat')
    expect(continues(10, 1, 2)).toBe('repeat')
  })

  test('a row that leaves out one id is a gap', () => {
    expect(continues(10, 12, 12)).toBe('gap')
  })

  test('it is first <= applied + 1 <= last, for all ids', () => {
    const id = fc.integer({ min: 0, max: 60 })
    fc.assert(
      fc.property(id, id, id, (applied, one, other) => {
        const [first, last] = [Math.min(one, other), Math.max(one, other)]
        const covered = Array.from({ length: last - first + 1 }, (_, i) => first + i)
        const verdict = continues(applied, first, last)
        expect(verdict === 'apply').toBe(covered.includes(applied + 1))
        expect(verdict === 'repeat').toBe(covered.every((each) => each <= applied))
      }),
    )
  })
})
