import { expect, test } from 'vitest'
import { viewed } from '../../sources/mapping/memory.ts'
import { KeyFinder } from '../../sources/scan.ts'
import { TopicIndex } from '../../sources/topic-index.ts'

const CASES = 20_000
const LETTERS = 'ab@.:"\\é'

/** A text of bytes somewhere in memory that holds what could be taken for more of it. */
const placed = (text: string, at: number) => {
  const bytes = Buffer.alloc(at + text.length * 2 + 16, '@a"b')
  const to = at + bytes.write(text, at)
  return { memory: viewed(new Uint8Array(bytes).buffer), from: at, to }
}

test('finds what a map of texts finds, wherever a message lies, and nothing that is not there', () => {
  let seed = 11
  const below = (n: number): number => (seed = (seed * 48_271) % 2_147_483_647) % n
  const word = (letters: string): string => Array.from({ length: below(14) }, () => letters[below(letters.length)]).join('')
  let hits = 0
  for (const key of ['stream', 'topic', 'e', 'channels']) {
    const [index, map, finder] = [new TopicIndex<number>(key), new Map<string, number>(), new KeyFinder(key)]
    for (let i = 0; i < CASES; i++) {
      if (below(20) === 0) {
        const topic = word('ab@.:')
        index.set(topic, i)
        map.set(topic, i)
      }
      const topic = below(2) === 0 ? [...map.keys()][below(map.size)] ?? '' : word(LETTERS)
      const head = [`{"${key}":"`, `{"${key}": "`, `{"${key}x":"`, `{"a":1,"${key}":"`, `{"${key}":`][below(8)] ?? `{"${key}":"`
      const text = `${head}${topic}${['","x":1}', '"', '', '"}'][below(4)]!}`
      const { memory, from, to } = placed(text, below(9))
      const found = index.find(memory, from, to)
      const there = finder.find(memory.bytes, from, to)
      const said = there ? Buffer.from(memory.bytes.subarray(finder.from, finder.to)).toString() : undefined
      // It may leave what begins otherwise to those who look closer, and must be right in all that it says.
      const wanted = said !== undefined && text.startsWith(`{"${key}":"`) ? map.get(said) : undefined
      expect([text, found]).toEqual([text, wanted])
      if (found !== undefined) hits++
    }
    expect(map.size).toBeGreaterThan(200)
  }
  expect(hits).toBeGreaterThan(CASES)
})

test('a value is replaced, and a topic that would have to be escaped is not kept', () => {
  const index = new TopicIndex<string>('topic')
  index.set('trade.BTC', 'before')
  index.set('trade.BTC', 'after')
  index.set('a"b', 'never')
  const find = (text: string): string | undefined => {
    const { memory, from, to } = placed(text, 3)
    return index.find(memory, from, to)
  }
  expect(find('{"topic":"trade.BTC","data":1}')).toBe('after')
  expect(find('{"topic":"a"b"}')).toBeUndefined()
  expect(find('{"topic":"a')).toBeUndefined()
})

test('nothing behind a message is taken for its beginning, nor read beyond what is there', () => {
  const index = new TopicIndex<number>('stream')
  index.set('a', 1)
  const whole = Buffer.from('{"stream":"a"}')
  for (let to = 0; to < whole.length; to++) {
    // What is left of an older message goes on with this one, up to the end of the memory.
    const { buffer } = new Uint8Array(Buffer.concat([whole, Buffer.alloc(8)]).subarray(0, to + 8))
    expect(index.find(viewed(buffer), 0, to), `${to}`).toBe(to < 13 ? undefined : 1)
  }
})
