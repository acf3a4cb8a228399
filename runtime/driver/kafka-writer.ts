import { HostError } from '../../graph/error.ts'
import type { LogWriter, Step } from '../../graph/port.ts'
import { closed, full, overtaken, owned, refusalOf } from '../log.ts'
import { answer, kafkaError } from './kafka-library.ts'
import type { Delivery, KafkaError, KafkaProducer } from './kafka-library.ts'
import type { Outage } from './kafka-outage.ts'
import { headersOf, withOf } from './kafka-record.ts'
import type { Standing } from './kafka-record.ts'
import { refused } from './kafka-topics.ts'
import type { KafkaTopics } from './kafka-topics.ts'
import {
  RETRY_MS,
  TIMEOUT_MS,
  TURN_MS,
  commit,
  disconnect,
  fencedBy,
  insist,
  isFatal,
  isFencing,
  lateClose,
  pause,
  pauseUntil,
  send,
  stand,
} from './kafka-transaction.ts'

export interface KafkaWriting {
  readonly brokers: string
  readonly prefix: string
  readonly topics: KafkaTopics
  readonly producer: KafkaProducer
  /** Take the shard again, unless somebody else has. */
  readonly again: () => Promise<Taken | undefined>
  readonly shard: string
  /** Where in the topic of the shards it says how far it has come. */
  readonly place: number
  readonly epoch: number
  readonly last: Standing | undefined
  /** A transaction is not begun before so long after the one before it: it then holds all steps since. */
  readonly commitEveryMs: number
  /** A transaction holds no more than about this. */
  readonly commitBytesMax: number
  /** Appends beyond this are refused (KT3007) until the brokers have caught up. */
  readonly pendingBytesMax: number
  /** The brokers end a transaction that is open for longer, and fence its writer. */
  readonly transactionMs: number
  /** A close waits no longer than this for what is on its way. */
  readonly closeMs: number
  /** Told of what failed and is tried again. */
  readonly outage: Outage
}

/** A shard that was taken again, and its last durable step. */
export interface Taken {
  readonly producer: KafkaProducer
  readonly step: number
}

interface Pending {
  readonly step: Step
  readonly bytes: number
  /** Where its records lie; -1 where that is not known. Made anew with each attempt. */
  offsets: number[]
  readonly resolve: (offsets: readonly number[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * Steps become transactions: while one is on its way the next steps wait, and leave together when it has
 * ended. Where the shard stands is written with them, to a topic of its own. A transaction that failed is
 * aborted and tried again, with the same steps; one that a newer writer has fenced ends this one.
 */
export class KafkaWriter implements LogWriter {
  readonly epoch: number
  readonly last: LogWriter['last']
  readonly #writing: KafkaWriting
  readonly #queue: Pending[] = []
  #producer: KafkaProducer
  #step: number
  #pendingBytes = 0
  #running: Promise<void> | undefined
  #refusal: unknown
  #open = true
  /** When the last transaction was begun, by a clock that nobody sets. */
  #committed = -Infinity
  /** A close or a newer writer waits for what is on its way. */
  #hurried = false
  #ended: Promise<void> | undefined

  constructor(writing: KafkaWriting) {
    const { epoch, last } = writing
    this.#writing = writing
    this.#producer = writing.producer
    this.epoch = epoch
    this.#step = last?.step ?? -1
    this.last = last === undefined ? undefined : { step: last.step, time: last.time, inputs: last.inputs }
  }

  append(step: Step): Promise<readonly number[]> {
    const { shard, pendingBytesMax } = this.#writing
    const refusal = this.#open ? (this.#refusal ?? refusalOf(shard, step, this.#step)) : closed()
    if (refusal !== undefined) return Promise.reject(refusal)
    const bytes = step.records.reduce((sum, record) => sum + record.bytes.length, 0)
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > pendingBytesMax)
      return Promise.reject(full(this.#pendingBytes, pendingBytesMax))
    this.#step = step.step
    this.#pendingBytes += bytes
    return new Promise((resolve, reject) => {
      this.#queue.push({ step: owned(step), bytes, offsets: [], resolve, reject })
      this.#running ??= this.#run()
    })
  }

  pendingBytes(): number {
    return this.#pendingBytes
  }

  async close(): Promise<void> {
    this.#open = false
    await this.#end()
  }

  /** A newer writer of this log takes over: what was handed over becomes durable, and nothing after it. */
  async overtake(newest: number): Promise<void> {
    this.#refusal ??= overtaken(this.#writing.shard, this.epoch, newest)
    await this.#end()
  }

  /** Once only: the client library does not survive to be let go of twice. */
  #end(): Promise<void> {
    this.#ended ??= this.#finish()
    return this.#ended
  }

  async #finish(): Promise<void> {
    this.#hurried = true
    const until = performance.now() + this.#writing.closeMs
    while (this.#running !== undefined && performance.now() < until) {
      const patience = new AbortController()
      await Promise.race([this.#running, pauseUntil(until, patience.signal)])
      patience.abort()
    }
    // Nobody answers: what waits is refused, and the client is left to end with the process.
    if (this.#running !== undefined) return this.#refuse(lateClose(this.#writing))
    await disconnect(this.#producer)
  }

  async #run(): Promise<void> {
    // Appends of the same turn leave together.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#queue.length > 0) {
      const waitMs = this.#committed + this.#writing.commitEveryMs - performance.now()
      if (waitMs > 0 && !this.#hurried && this.#pendingBytes < this.#writing.commitBytesMax)
        await pause(Math.min(waitMs, TURN_MS))
      else await this.#commit()
    }
    this.#running = undefined
  }

  /** One transaction over what waits. Its steps settle, or stay to be tried again. */
  async #commit(): Promise<void> {
    this.#committed = performance.now()
    const group = this.#group()
    try {
      await this.#write(group)
    } catch (error) {
      await this.#failed(error).catch((unknown: unknown) => this.#refuse(unknown))
      return
    }
    this.#writing.outage.over()
    this.#queue.splice(0, group.length)
    for (const { bytes, offsets, resolve } of group) {
      this.#pendingBytes -= bytes
      resolve(offsets)
    }
  }

  #group(): readonly Pending[] {
    let bytes = 0
    const beyond = this.#queue.findIndex(
      (one, i) => i > 0 && (bytes += one.bytes) > this.#writing.commitBytesMax,
    )
    return beyond < 0 ? [...this.#queue] : this.#queue.slice(0, beyond)
  }

  async #write(group: readonly Pending[]): Promise<void> {
    const { topics } = this.#writing
    const producer = this.#producer
    const places = group.flatMap(({ step }) => step.records)
    await topics.ready(places)
    await answer<void>((back) => producer.beginTransaction(back))
    const left = { reports: 0 }
    for (const pending of group) await this.#produce(pending, left)
    const { step, time, inputs } = group.at(-1)!.step
    await this.#stand({ epoch: this.epoch, step, time, inputs })
    await topics.during((check) => commit(producer, this.#writing.outage, check))
    // All messages were delivered; what the library tells of them is one turn of the loop behind at most.
    for (const until = performance.now() + TOLD_MS; left.reports > 0 && performance.now() < until;)
      await turn()
  }

  async #produce(pending: Pending, left: { reports: number }): Promise<void> {
    const { step } = pending
    // Reports of an attempt before this one go to an array that nobody looks at.
    const offsets = step.records.map(() => -1)
    pending.offsets = offsets
    const { prefix } = this.#writing
    const producer = this.#producer
    const together = withOf(step.records)
    for (const [i, record] of step.records.entries()) {
      const { topic, partition, key = null } = record
      const { buffer, byteOffset, length } = record.bytes
      const value = Buffer.from(buffer, byteOffset, length)
      const headers = headersOf(step, this.epoch, record, together)
      const told: Delivery = {
        placed: (offset) => {
          offsets[i] = Math.max(offset, -1)
          left.reports--
        },
      }
      await send(() => producer.produce(prefix + topic, partition, value, key, undefined, told, headers))
      left.reports++
    }
  }

  #stand(standing: Standing): Promise<void> {
    const { prefix, shard, place } = this.#writing
    return send(() => stand(this.#producer, prefix, { shard, place }, standing))
  }

  /** Abort, so that the same steps may come again; or give up, when another has the shard. */
  async #failed(error: unknown): Promise<void> {
    const { outage, brokers } = this.#writing
    const producer = this.#producer
    if (error instanceof HostError && error.retry !== 'never') {
      outage.failed(error)
      return pause(RETRY_MS)
    }
    const said = kafkaError(error)
    if (isFatal(said)) return this.#fenced(said)
    if (NEVER.has(said.code)) return this.#refuse(refused(brokers, said, 'never'))
    outage.failed(error)
    try {
      await insist(() => answer<void>((back) => producer.abortTransaction(TIMEOUT_MS, back)), outage)
    } catch (failure) {
      return this.#fenced(kafkaError(failure))
    }
    await pause(RETRY_MS)
  }

  /**
   * Somebody has the shard; or the brokers were away for longer than a transaction may be open: they end it,
   * and fence its writer, when they come back; or the client and they differ on what has ended. Where nobody
   * has the shard the same steps come again, but for those that are there.
   */
  async #fenced(said: KafkaError): Promise<void> {
    const spentMs = performance.now() - this.#committed
    if (isFencing(said) && spentMs < this.#writing.transactionMs * 0.9)
      return this.#refuse(fencedBy(this.#writing, said))
    this.#writing.outage.failed(said)
    const taken = await this.#insistOnAgain()
    if (taken === undefined) return this.#refuse(fencedBy(this.#writing, said))
    await disconnect(this.#producer)
    this.#producer = taken.producer
    const beyond = this.#queue.findIndex(({ step }) => step.step > taken.step)
    for (const { step, bytes, resolve } of this.#queue.splice(0, beyond < 0 ? this.#queue.length : beyond)) {
      this.#pendingBytes -= bytes
      resolve(step.records.map(() => -1))
    }
  }

  async #insistOnAgain(): Promise<Taken | undefined> {
    for (const until = performance.now() + AGAIN_MAX_MS; ;) {
      try {
        return await this.#writing.again()
      } catch (error) {
        // A process that starts anew may have more luck.
        if (!(error instanceof HostError) || error.retry === 'never' || performance.now() > until) throw error
        this.#writing.outage.failed(error)
        await pause(RETRY_MS)
      }
    }
  }

  #refuse(error: unknown): void {
    this.#refusal = error
    this.#pendingBytes = 0
    for (const { reject } of this.#queue.splice(0)) reject(error)
  }
}

/** Without a report the place of a record is not known, which is no reason to fail. */
const TOLD_MS = 1000
const AGAIN_MAX_MS = 60_000
/** Too large, or not allowed: trying again does not help. */
const NEVER: ReadonlySet<number> = new Set([10, 18, 29, 30, 31, 53])

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
