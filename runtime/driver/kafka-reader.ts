import { HostError } from '../../graph/error.ts'
import type { LogReader, Placed, ReadFrom } from '../../graph/port.ts'
import { closed } from '../log.ts'
import type { KafkaAccess } from './kafka-access.ts'
import { ALARMING, answer, kafkaError } from './kafka-library.ts'
import type { KafkaConsumer, KafkaMessage, KafkaPlace } from './kafka-library.ts'
import { Gathering } from './kafka-gathering.ts'
import { Proof } from './kafka-proof.ts'
import { Records } from './kafka-record.ts'
import type { KafkaTopics } from './kafka-topics.ts'
import { refused } from './kafka-topics.ts'
import { pause } from './kafka-transaction.ts'
import { Watch } from './kafka-watch.ts'

interface Seen {
  readonly waiting: ReadonlyMap<string, number>
  readonly ends: readonly number[]
}

/** Since when nobody says that the topics are what they were, and where they end. */
interface Away {
  proof: number | undefined
  ends: number | undefined
}

/** Reads whole durable steps from our own positions. What brokers have damaged comes as that (`DAMAGED`). */
export class KafkaReader implements LogReader {
  readonly #consumer: KafkaConsumer
  readonly #topics: KafkaTopics
  readonly #records: Records
  readonly #gathering: Gathering
  readonly #brokers: string
  readonly #prefix: string
  readonly #watch: Watch
  readonly #proof: Proof
  #failure: Error | undefined
  #open = true
  readonly #away: Away = { proof: undefined, ends: undefined }
  #reading: Promise<unknown> = Promise.resolve()

  constructor(
    consumer: KafkaConsumer,
    topics: KafkaTopics,
    from: readonly ReadFrom[],
    prefix: string,
    access: KafkaAccess,
  ) {
    this.#consumer = consumer
    this.#topics = topics
    this.#records = new Records(prefix)
    this.#gathering = new Gathering(from)
    this.#brokers = access.brokers
    this.#prefix = prefix
    this.#proof = new Proof(() => topics.check(from))
    this.#watch = new Watch(access, prefix, topics, this.#gathering)
    consumer.on('partition.eof', (end: KafkaPlace) =>
      this.#gathering.reached(
        { topic: end.topic.slice(prefix.length), partition: end.partition },
        end.offset,
      ),
    )
    this.#assign()
  }

  read(bytesMax: number, waitMs: number): Promise<readonly Placed[]> {
    const reading = this.#reading.then(() => this.#read(bytesMax, waitMs))
    this.#reading = reading.catch(() => undefined)
    return reading
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#reading
    await new Promise<void>((resolve) => this.#consumer.disconnect(resolve))
  }

  async #read(bytesMax: number, waitMs: number): Promise<readonly Placed[]> {
    if (!this.#open) throw closed()
    if (this.#failure !== undefined) throw this.#failure
    const begun = performance.now()
    let pauseMs = 1
    let tried = false
    let seen: Seen | undefined
    for (;;) {
      const came = this.#gathering.bytes < bytesMax || tried ? await this.#take() : false
      await this.#look()
      if (this.#failure !== undefined) throw this.#failure
      // Else it may be of another topic, and to come back with nothing would say that there is no more.
      if ((await this.#patiently('proof', () => this.#proof.fresh())) === undefined) continue
      const found = this.#gathering.take(bytesMax)
      if (found.length > 0) return found
      // What waits is not whole, however much it is: only what comes can make it so.
      tried = true
      if (!this.#open) return []
      const spentMs = performance.now() - begun
      // What was acknowledged before this call is seen by it, though the brokers end transactions later.
      if (spentMs >= waitMs || (this.#gathering.bytes > 0 && spentMs > PATIENCE_MS)) {
        seen ??= await this.#patiently('ends', () => this.#seen())
        if (seen === undefined) continue
        const over = this.#gathering.passed(seen.ends, seen.waiting)
        const rest = this.#gathering.take(bytesMax)
        if (rest.length > 0) return rest
        if (over) seen = undefined
        const ended = spentMs > waitMs + SETTLE_MS || (over && this.#gathering.bytes === 0)
        if (spentMs >= waitMs && ended) return []
      }
      pauseMs = came ? 1 : Math.min(pauseMs * 2, PAUSE_MAX_MS)
      if (!came) await pause(pauseMs)
    }
  }

  /** Take in what the client has. True: something came. */
  async #take(): Promise<boolean> {
    const messages = await this.#consume()
    for (const message of messages) {
      const found = this.#records.of(message)
      if (found !== undefined) this.#gathering.add(found)
    }
    return messages.length > 0
  }

  async #consume(): Promise<readonly KafkaMessage[]> {
    try {
      return await answer<readonly KafkaMessage[]>((back) => this.#consumer.consume(AT_ONCE, back))
    } catch (error) {
      const said = kafkaError(error)
      if (ALARMING.has(said.code)) this.#watch.alarm()
      else if (said.isFatal === true) this.#failure = refused(this.#brokers, said)
      return []
    }
  }

  /** Also while records come: the client loses the error of one partition beside the records of another. */
  async #look(): Promise<void> {
    try {
      // The client waits long for topics that are gone.
      if (this.#watch.isDue() && (await this.#proof.beside(this.#watch.look()))) this.#assign()
    } catch (error) {
      if (!(error instanceof Error)) throw error
      this.#failure = error
    }
  }

  /** The client reads on from where this reader is. */
  #assign(): void {
    const wanted = this.#gathering.wanted()
    this.#consumer.assign(wanted.map((one) => ({ ...one, topic: this.#prefix + one.topic })))
  }

  /** Undefined: the brokers do not answer now. They may be away for a while: a reader loses nothing by it. */
  async #patiently<T>(what: keyof Away, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      const answered = await ask()
      this.#away[what] = undefined
      return answered
    } catch (error) {
      this.#away[what] ??= performance.now()
      const over = performance.now() - this.#away[what] > AWAY_MAX_MS
      if (over || !this.#open || !(error instanceof HostError) || error.retry === 'never') throw error
      await pause(AGAIN_MS)
      return undefined
    }
  }

  /** Which steps wait for more of them, and where each partition ends now, open transactions included. */
  async #seen(): Promise<Seen> {
    const waiting = this.#gathering.waiting()
    return { waiting, ends: await this.#topics.next(this.#gathering.wanted()) }
  }
}

const AT_ONCE = 500
/** Brokers that are away for longer than this are an error. */
const AWAY_MAX_MS = 120_000
const AGAIN_MS = 200
const PAUSE_MAX_MS = 10
/** A transaction that has not ended by then is not waited for. */
const SETTLE_MS = 2000
/** So long the other records of a step may take, before it is looked whether there are any. */
const PATIENCE_MS = 10
