import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fixed, rounded, trimmed } from '../../sources/sim/decimal.ts'

describe('the text of a number of units', () => {
  test('has all decimals, and reads back as the units', () => {
    fc.assert(fc.property(fc.maxSafeInteger(), fc.integer({ min: 0, max: 8 }), (units, decimals) => {
      const text = fixed(units, decimals)
      expect(text).toMatch(decimals === 0 ? /^-?\d+$/ : new RegExp(`^-?(0|[1-9]\\d*)\\.\\d{${decimals}}$`))
      expect(BigInt(text.replace('.', ''))).toBe(BigInt(units))
      expect(fixed(BigInt(units), decimals)).toBe(text)
    }))
  })

  test('stays a plain decimal beyond what a number holds exactly', () => {
    expect(fixed(6_955_943_834_923_225_088, 8)).toBe('69559438349.23225088')
    expect(rounded(69_559_438_349.232_25, 8)).toMatch(/^69559438349\.2322\d{4}$/)
    expect(fixed(2.7e21, 8)).toBe('27000000000000.00000000')
  })

  test('is 0.00000812 for 812 of the eighth decimal, and shorter when trimmed', () => {
    expect(fixed(812, 8)).toBe('0.00000812')
    expect(fixed(-1, 2)).toBe('-0.01')
    expect(trimmed(6_514_000, 2)).toBe('65140')
    expect(trimmed(0, 4)).toBe('0')
  })
})
