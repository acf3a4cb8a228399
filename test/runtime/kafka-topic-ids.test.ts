import { expect, test } from 'vitest'
import { TopicIds } from '../../runtime/driver/kafka-topic-ids.ts'

const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** What brokers say of a topic, one answer after the other, the last one from then on. */
const saying = (...answers: readonly (string | undefined)[]) => {
  const kept = new Map<string, Uint8Array>()
  let asked = 0
  const ids = new TopicIds(
    async (names) => {
      const id = answers[Math.min(asked++, answers.length - 1)]
      return new Map(id === undefined ? [] : names.map((name) => [name, id]))
    },
    {
      get: async (path) => kept.get(path),
      put: async (path, bytes) => void kept.set(path, bytes),
      putIfAbsent: async (path, bytes) => !kept.has(path) && kept.set(path, bytes) === kept,
    },
  )
  return { ids, kept, asked: () => asked }
}

test('brokers that give no ids are asked once, and nothing is claimed of their topics', async () => {
  const { ids, kept, asked } = saying(NO_ID)
  await ids.expect(['t'])
  await ids.keep('t')
  await ids.check(['t'])
  expect([kept.size, asked()]).toEqual([0, 1])
})

test('nothing is claimed either when ids that were known are given no more', async () => {
  const { ids, kept } = saying('one', NO_ID)
  await ids.keep('t')
  await ids.expect(['t'])
  await ids.check(['t'])
  expect(kept.size).toBe(1)
})

test('one broker that is behind the others ends nothing, and proves nothing', async () => {
  const { ids } = saying(undefined, 'one', 'other', undefined, 'one')
  await ids.keep('t')
  await expect(ids.check(['t'])).rejects.toMatchObject({ code: 'KT3031' })
  await expect(ids.check(['t'])).rejects.toMatchObject({ code: 'KT3031' })
  await ids.check(['t'])
})

test('of two who use a topic first the id of one is remembered, and the other is held to it', async () => {
  const { ids, kept } = saying('other', 'one')
  kept.set('kafka/t', new TextEncoder().encode('one'))
  await ids.keep('t')
  await ids.check(['t'])
  expect(new TextDecoder().decode(kept.get('kafka/t'))).toBe('one')
})
