import { setTimeout as sleep } from 'node:timers/promises'
import { HostError } from '../../graph/error.ts'
import { overtaken } from '../log.ts'
import { unanswered } from './kafka-access.ts'
import { SHARDS } from '../topics.ts'
import { CODE, answer, kafkaError } from './kafka-library.ts'
import type { KafkaError, KafkaProducer } from './kafka-library.ts'
import type { Outage } from './kafka-outage.ts'
import type { Standing } from './kafka-record.ts'

export const TURN_MS = 5
export const RETRY_MS = 100
export const TIMEOUT_MS = 10_000

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Until `performance.now()` is that; aborted without an error. */
export const pauseUntil = (until: number, signal: AbortSignal): Promise<void> =>
  sleep(Math.max(0, until - performance.now()), undefined, { signal, ref: false }).catch(() => undefined)

/** A fenced producer says so without calling it fatal. */
export const isFatal = ({ code, isFatal: fatal }: KafkaError): boolean =>
  fatal === true || code === CODE.fenced

/** The brokers know a newer writer, or ended a transaction that was open for too long. */
export const isFencing = ({ code }: KafkaError): boolean =>
  code === CODE.fenced || code === INVALID_EPOCH || code === PRODUCER_FENCED
const INVALID_EPOCH = 47
const PRODUCER_FENCED = 90

/** KT3004, as Kafka says it. */
export const fencedBy = (
  { shard, epoch }: { readonly shard: string; readonly epoch: number },
  said: KafkaError,
): HostError => {
  const error = overtaken(shard, epoch, epoch + 1)
  return new HostError(error.code, error.message, {
    why: `${error.why} Kafka says: ${said.message} (${said.code}).`,
    fix: String(error.fix),
    facts: { ...error.facts, kafka: said.code },
    retry: 'never',
  })
}

/** KT3031: a close does not wait for ever. */
export const lateClose = (of: { readonly brokers: string; readonly closeMs: number }): HostError =>
  unanswered(
    of.brokers,
    `The log was closed, and they have not taken the last steps within ${of.closeMs / 1000} s.`,
  )

/** Hand a message over. The queue of the library is bounded: when it is full, it is sent first. */
export const send = async (produce: () => void): Promise<void> => {
  for (;;) {
    try {
      return produce()
    } catch (error) {
      if (kafkaError(error).code !== CODE.queueFull) throw error
      await pause(TURN_MS)
    }
  }
}

/** A call of which the outcome is not known may be made again, and gives the outcome then. */
export const insist = async (attempt: () => Promise<void>, outage: Outage): Promise<void> => {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const said = kafkaError(error)
      if (isFatal(said) || said.isRetriable !== true || said.isTxnRequiresAbort === true) throw error
      outage.failed(error)
      await pause(RETRY_MS)
    }
  }
}

/** `check` is called before each try, and ends it by what it throws. */
export const commit = (
  producer: KafkaProducer,
  outage: Outage,
  check: () => void = () => undefined,
): Promise<void> =>
  insist(() => {
    check()
    return answer<void>((back) => producer.commitTransaction(TIMEOUT_MS, back))
  }, outage)

/** Say where a shard stands, as part of the open transaction. */
export const stand = (
  producer: KafkaProducer,
  prefix: string,
  { shard, place }: { readonly shard: string; readonly place: number },
  standing: Standing,
): void =>
  producer.produce(
    prefix + SHARDS,
    place,
    Buffer.from(JSON.stringify(standing)),
    shard,
    undefined,
    undefined,
    [],
  )

/** The library's own `disconnect` sends what is left first; a transaction that is open is to be forgotten. */
export const disconnect = (producer: KafkaProducer): Promise<void> =>
  new Promise((resolve) => {
    producer.setPollInBackground(false)
    producer._disconnect(() => resolve())
  })
