import { createHash } from 'node:crypto'
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs'
import { HostError } from '../../graph/error.ts'
import type { Clock, DeadLetter, DeadLetters, ObjectStore, Random } from '../../graph/port.ts'
import { letterIn, letterPlace, letterText } from './letter.ts'
import { within } from './within.ts'

/** A queue, and where letters lie that are too long for it. */
export interface SqsQueue {
  readonly url: string
  readonly region: string
  readonly objects: ObjectStore
  readonly clock: Clock
  readonly random: Random
  /** Undefined: as the AWS SDK finds them. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Default 10 s. */
  readonly timeoutMs?: number
}

interface SqsOptions extends SqsQueue {
  /** Letters that wait for the queue; beyond this the oldest are `left`. Default 64 MiB. */
  readonly pendingBytesMax?: number
  /** The queue refused; it is tried again. */
  readonly refused?: (error: HostError) => void
  /** Takes what the queue has not taken in time: else it is dropped, and counted. */
  readonly left?: (letter: DeadLetter) => void
}

/** What SQS takes in one call: messages, and bytes of all of them. */
export const BATCH = 10
const BATCH_BYTES = 200 * 1024
const AGAIN_MS = 1000
const AGAIN_MAX_MS = 30_000
const BODIES = 'letters'

export const clientOf = ({ url, region, credentials, timeoutMs = 10_000 }: SqsQueue): SQSClient =>
  new SQSClient({
    region,
    endpoint: new URL(url).origin,
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 5000, requestTimeout: 4 * timeoutMs, throwOnRequestTimeout: true },
  })

interface Waiting {
  readonly id: string
  readonly text: string
}

/**
 * Dead letters in a queue of SQS. `add` never waits; letters leave in batches and are tried again until the
 * queue has them or this is closed, so one may be there twice: a reader tells by the place of its frame. A
 * letter too long for the queue lies in the object store, and the queue has its name.
 */
export class SqsDeadLetters implements DeadLetters {
  readonly #options: SqsOptions
  readonly #client: SQSClient
  #waiting: Waiting[] = []
  #pendingBytes = 0
  #dropped = 0
  #tries = 0
  #running: Promise<void> | undefined
  #closed = false
  #wake: (() => void) | undefined

  constructor(options: SqsOptions) {
    this.#options = options
    this.#client = clientOf(options)
  }

  /** How many letters were dropped since this was opened. */
  get dropped(): number {
    return this.#dropped
  }

  readonly add = (letter: DeadLetter): void => {
    // SQS takes few characters beyond ASCII, and so a character is a byte.
    const text = letterText(letter).replace(/[^ -~]/g, escaped)
    this.#waiting.push({ id: letterPlace(letter), text })
    this.#pendingBytes += text.length
    while (this.#pendingBytes > (this.#options.pendingBytesMax ?? 64 << 20)) {
      const oldest = this.#waiting.shift()!
      this.#pendingBytes -= oldest.text.length
      this.#leave(oldest)
    }
    this.#running ??= this.#run()
  }

  /** All that was added is with the queue, or was refused once more. */
  async flush(): Promise<void> {
    this.#wake?.()
    await this.#running
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#wake?.()
    await this.#running
    for (const one of this.#waiting.splice(0)) this.#leave(one)
    this.#client.destroy()
  }

  #leave({ text }: Waiting): void {
    const letter = letterIn(text)
    if (this.#options.left === undefined || letter === undefined) this.#dropped++
    else this.#options.left(letter)
  }

  async #run(): Promise<void> {
    // Letters of the same turn leave together.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const batch = this.#batch()
      try {
        const sent = await this.#send(batch)
        this.#waiting = this.#waiting.filter((one) => !sent.has(one))
        this.#pendingBytes = this.#waiting.reduce((sum, { text }) => sum + text.length, 0)
        this.#tries = 0
        if (sent.size < batch.length) throw new Error('the queue took a part of them')
      } catch (error) {
        this.#tries++
        this.#options.refused?.(refusal(this.#options.url, error))
        if (this.#closed) break
        await this.#rest()
      }
    }
    this.#running = undefined
  }

  #batch(): readonly Waiting[] {
    const batch: Waiting[] = []
    let bytes = 0
    for (const one of this.#waiting) {
      const length = Math.min(one.text.length, 1024)
      const counted = one.text.length > BATCH_BYTES ? length : one.text.length
      if (batch.length === BATCH || (batch.length > 0 && bytes + counted > BATCH_BYTES)) break
      batch.push(one)
      bytes += counted
    }
    return batch
  }

  async #send(batch: readonly Waiting[]): Promise<ReadonlySet<Waiting>> {
    const { url: QueueUrl, clock, timeoutMs = 10_000, objects } = this.#options
    const Entries: { Id: string; MessageBody: string }[] = []
    for (const [i, { id, text }] of batch.entries()) {
      if (text.length <= BATCH_BYTES) Entries.push({ Id: String(i), MessageBody: text })
      else {
        const path = `${BODIES}/${createHash('sha256').update(id).digest('hex')}.json`
        await objects.put(path, Buffer.from(text))
        Entries.push({ Id: String(i), MessageBody: JSON.stringify({ body: path }) })
      }
    }
    const answer = await within(clock, timeoutMs, (abortSignal) =>
      this.#client.send(new SendMessageBatchCommand({ QueueUrl, Entries }), { abortSignal }),
    )
    const refused = (answer.Failed ?? []).filter(({ SenderFault }) => SenderFault === true)
    // What the queue will never take must not hold the others back.
    this.#dropped += refused.length
    return new Set([...(answer.Successful ?? []), ...refused].map(({ Id }) => batch[Number(Id)]!))
  }

  #rest(): Promise<void> {
    const most = Math.min(AGAIN_MAX_MS, AGAIN_MS * 2 ** (this.#tries - 1))
    const ms = most / 2 + this.#options.random.below(most / 2)
    return new Promise((resume) => {
      const cancel = this.#options.clock.after(ms, resume)
      this.#wake = () => {
        cancel()
        resume()
      }
    })
  }
}

const escaped = (one: string): string => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`

export const refusal = (url: string, thrown: unknown): HostError => {
  const { name, message } = thrown as Error
  return new HostError('KT3025', 'the queue did not take dead letters', {
    where: url,
    why: name === 'Error' ? message : name,
    fix: 'See that the queue is there, and that the credentials allow to send, receive and delete.',
    retry: { afterMs: AGAIN_MS },
  })
}
