import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DeadLetter } from '../../graph/port.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { letterText } from '../../runtime/driver/letter.ts'
import { SqsDeadLetters } from '../../runtime/driver/sqs.ts'
import { sqsLetters } from '../../runtime/driver/sqs-letters.ts'
import type { SqsQueue } from '../../runtime/driver/sqs.ts'
import { randomOf } from '../random.ts'
import { faultProxy } from '../s3-proxy.ts'
import type { Fault } from '../s3-proxy.ts'
import { CREDENTIALS, sqsThere, startSqs } from '../sqs-server.ts'
import type { SqsServer } from '../sqs-server.ts'
import { letterOf } from './letter-stores.ts'

const folder = mkdtempSync(join(tmpdir(), 'kt-sqs-'))
const objects = fileStore(folder)
const random = { below: randomOf(3) }
let server: SqsServer

describe.skipIf(!sqsThere)('dead letters in SQS', () => {
  beforeAll(async () => void (server = await startSqs()), 120_000)
  afterAll(() => {
    server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const made = async (): Promise<SqsQueue> => {
    const url = await server.queue()
    const credentials = CREDENTIALS
    return { url, region: 'us-east-1', credentials, objects, clock: systemClock(), random, timeoutMs: 3000 }
  }
  const found = async (queue: SqsQueue): Promise<readonly DeadLetter[]> => {
    const store = sqsLetters(queue)
    const letters: DeadLetter[] = []
    for await (const { letter } of store.letters()) letters.push(letter)
    await store.close()
    return letters
  }
  const range = (first: number, last: number): readonly number[] =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i)

  test('come back as they were, in order, and again, and with long ones among them', async () => {
    const queue = await made()
    const letters = new SqsDeadLetters(queue)
    const all = range(1, 25).map((frame) => letterOf(frame, frame % 8 === 0 ? 400_000 : 100 * frame))
    for (const letter of all) letters.add(letter)
    await letters.close()
    expect(letters.dropped).toBe(0)
    expect(await found(queue)).toEqual(all)
    expect(await found(queue)).toEqual(all)
    expect(await objects.list('letters/')).toHaveLength(3)
  })

  test('that were delivered twice come once, and are removed as one', async () => {
    const queue = await made()
    for (const frame of [1, 2, 1, 1])
      await server.client.send(
        new SendMessageCommand({
          QueueUrl: queue.url,
          MessageBody: letterText(letterOf(frame)).replace(/[^ -~]/g, '?'),
        }),
      )
    expect((await found(queue)).map(({ frame }) => frame)).toEqual([1, 2])
    const store = sqsLetters(queue)
    const ids: string[] = []
    for await (const { id, letter } of store.letters()) if (letter.frame === 1) ids.push(id)
    expect(await store.remove(new Set(ids))).toBe(1)
    expect(await store.remove(new Set(ids))).toBe(0)
    await store.close()
    expect((await found(queue)).map(({ frame }) => frame)).toEqual([2])
  })

  test('that are removed take their long bodies with them', async () => {
    const queue = await made()
    const before = await objects.list('letters/')
    const letters = new SqsDeadLetters(queue)
    letters.add(letterOf(901, 500_000))
    await letters.close()
    expect((await objects.list('letters/')).length).toBe(before.length + 1)
    const store = sqsLetters(queue)
    for await (const { id } of store.letters()) expect(await store.remove(new Set([id]))).toBe(1)
    await store.close()
    expect(await objects.list('letters/')).toEqual(before)
  })

  test('pass over what is no letter', async () => {
    const queue = await made()
    await server.client.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: 'good morning' }))
    await server.client.send(
      new SendMessageCommand({ QueueUrl: queue.url, MessageBody: '{"body":"letters/none.json"}' }),
    )
    expect(await found(queue)).toEqual([])
    const { Messages } = await server.client.send(
      new ReceiveMessageCommand({ QueueUrl: queue.url, MaxNumberOfMessages: 10 }),
    )
    expect(Messages).toHaveLength(2)
  })

  test.each<Fault>(['503', 'cut', 'cut after', 'hang', '500'])('arrive behind %s', async (fault) => {
    const queue = await made()
    let calls = 0
    const refused: string[] = []
    const proxy = await faultProxy(server.endpoint, () => (calls++ === 0 ? fault : 'none'))
    const url = `${proxy.endpoint}${new URL(queue.url).pathname}`
    const letters = new SqsDeadLetters({
      ...queue,
      url,
      timeoutMs: 300,
      refused: ({ code }) => refused.push(code),
    })
    for (const frame of range(1, 12)) letters.add(letterOf(frame))
    while (refused.length === 0) await pause(5)
    await letters.flush()
    await letters.close()
    expect(refused).toEqual(['KT3025'])
    expect((await found(queue)).map(({ frame }) => frame)).toEqual(range(1, 12))
    await proxy.stop()
  })

  test('wait in memory up to a bound while there is no queue, and nothing waits for them', async () => {
    const queue = await made()
    const refused: string[] = []
    const letters = new SqsDeadLetters({
      ...queue,
      url: queue.url.replace(/[^/]+$/, 'no-such-queue'),
      pendingBytesMax: 5000,
      refused: ({ code }) => refused.push(code),
    })
    for (const frame of range(1, 50)) letters.add(letterOf(frame))
    expect(letters.dropped).toBeGreaterThan(20)
    await letters.close()
    expect(refused[0]).toBe('KT3025')
  })
})

test('dead letters that no queue takes are left, each once: what waits beyond a bound, and at the end the rest', async () => {
  const left: DeadLetter[] = []
  const letters = new SqsDeadLetters({
    url: 'http://127.0.0.1:9/000000000000/none',
    region: 'us-east-1',
    credentials: CREDENTIALS,
    objects,
    clock: systemClock(),
    random,
    pendingBytesMax: 5000,
    left: (letter) => left.push(letter),
  })
  const all = Array.from({ length: 50 }, (_, frame) => letterOf(frame))
  for (const letter of all) letters.add(letter)
  expect(left.length).toBeGreaterThan(20)
  await letters.close()
  expect(left).toEqual(all)
  expect(letters.dropped).toBe(0)
})
