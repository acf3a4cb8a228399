/**
 * Code that is true where the bytes `b` with their view `v` are not this plain text at `from`. Four bytes are
 * compared at a time, and up to four behind the text are read.
 */
export const differs = (text: string, from = 'i'): string => {
  const tests: string[] = []
  const { length } = text
  const test = (bits: 16 | 32, at: number, mask = ''): void => {
    tests.push(
      `${mask === '' ? '' : '('}v.getInt${bits}(${from}+${at},true)${mask}!==${wordAt(text, at, bits)}`,
    )
  }
  let at = 0
  for (; at + 4 <= length; at += 4) test(32, at)
  if (length === 3) test(32, 0, '&0xffffff)')
  else if (at < length && length > 4) test(32, length - 4)
  else if (length === 2) test(16, 0)
  else if (length === 1) tests.push(`b[${from}]!==${text.charCodeAt(0)}`)
  return tests.join('||')
}

/** What stands behind the text counts as zeros. */
const wordAt = (text: string, at: number, bits: 16 | 32): number => {
  const low = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 8)
  return bits === 16 ? low : low | (text.charCodeAt(at + 2) << 16) | (text.charCodeAt(at + 3) << 24)
}
