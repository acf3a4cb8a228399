import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
} from '@aws-sdk/client-sqs'
import type { SQSClient } from '@aws-sdk/client-sqs'
import type { DeadLetter, ObjectStore } from '../../graph/port.ts'
import { letterIn, letterPlace } from './letter.ts'
import type { LetterStore, StoredLetter } from './letter.ts'
import { BATCH, clientOf, refusal } from './sqs.ts'
import type { SqsQueue } from './sqs.ts'
import { within } from './within.ts'

/** How long letters stay hidden from others while somebody looks through the queue, seconds. */
const LOOK_S = 120

/** What a look does with a letter: `first` unless it came before, `body` where it lies if it is long. */
type Each = (one: StoredLetter, first: boolean, body: string | undefined) => 'keep' | 'remove'

/**
 * The letters of a queue, for whoever looks after them. To look is to receive: what was received is given
 * back when the look is over, and letters that came twice are shown once.
 */
export const sqsLetters = (queue: SqsQueue): LetterStore => {
  const client = clientOf(queue)
  return {
    async *letters() {
      const found: StoredLetter[] = []
      await look(queue, client, (one, first) => {
        if (first) found.push(one)
        return 'keep'
      })
      yield* found.sort((a, b) => a.letter.received - b.letter.received || a.letter.frame - b.letter.frame)
    },
    remove: async (ids) => {
      let removed = 0
      const bodies = new Set<string>()
      await look(queue, client, ({ id }, first, body) => {
        if (!ids.has(id)) return 'keep'
        if (first) removed++
        if (body !== undefined) bodies.add(body)
        return 'remove'
      })
      for (const body of bodies) await queue.objects.remove(body)
      return removed
    },
    close: () => Promise.resolve(client.destroy()),
  }
}

/** Receive all there is, and then remove what is to go and give back the rest. */
const look = async (queue: SqsQueue, client: SQSClient, each: Each): Promise<void> => {
  const { url: QueueUrl, clock, timeoutMs = 10_000, objects } = queue
  const call = <T>(send: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    within(clock, timeoutMs, send).catch((error: unknown) => {
      throw refusal(QueueUrl, error)
    })
  const seen = new Set<string>()
  const handles: Record<ReturnType<Each>, string[]> = { keep: [], remove: [] }
  const ask = { QueueUrl, MaxNumberOfMessages: BATCH, VisibilityTimeout: LOOK_S, WaitTimeSeconds: 0 }
  try {
    for (;;) {
      const answer = await call((abortSignal) => client.send(new ReceiveMessageCommand(ask), { abortSignal }))
      if ((answer.Messages ?? []).length === 0) break
      for (const { Body = '', ReceiptHandle = '' } of answer.Messages ?? []) {
        // Given back whatever becomes of the rest.
        handles.keep.push(ReceiptHandle)
        const { letter, body } = await letterOf(objects, Body)
        if (letter === undefined) continue
        const id = letterPlace(letter)
        const first = !seen.has(id)
        seen.add(id)
        if (each({ id, letter }, first, body) === 'remove') handles.remove.push(handles.keep.pop()!)
      }
    }
  } finally {
    for (const Entries of tens(handles.remove)) {
      const command = new DeleteMessageBatchCommand({ QueueUrl, Entries })
      await call((abortSignal) => client.send(command, { abortSignal }))
    }
    for (const some of tens(handles.keep)) {
      const Entries = some.map((one) => ({ ...one, VisibilityTimeout: 0 }))
      const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries })
      await call((abortSignal) => client.send(command, { abortSignal }))
    }
  }
}

const tens = (handles: readonly string[]): { Id: string; ReceiptHandle: string }[][] =>
  Array.from({ length: Math.ceil(handles.length / BATCH) }, (_, i) =>
    handles.slice(i * BATCH, (i + 1) * BATCH).map((ReceiptHandle, at) => ({ Id: String(at), ReceiptHandle })),
  )

/** The letter of a message: in it, or in the object that it names. */
const letterOf = async (
  objects: ObjectStore,
  text: string,
): Promise<{ readonly letter: DeadLetter | undefined; readonly body: string | undefined }> => {
  const named = /^\{"body":"([^"]+)"\}$/.exec(text)?.[1]
  if (named === undefined) return { letter: letterIn(text), body: undefined }
  const bytes = await objects.get(named)
  const letter = bytes === undefined ? undefined : letterIn(new TextDecoder().decode(bytes))
  return { letter, body: named }
}
