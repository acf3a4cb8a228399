import { setTimeout as sleep } from 'node:timers/promises'
import { HostError } from '../../graph/error.ts'
import type { KafkaAccess } from './kafka-access.ts'
import { openWire } from './kafka-wire.ts'

/** Whether the brokers let us in: rejects with KT3032 where they do not, and with nothing else. */
export const entryOf = (access: KafkaAccess) => async (): Promise<void> => {
  try {
    ;(await openWire(access)).close()
  } catch (error) {
    if (error instanceof HostError && error.code === 'KT3032') throw error
  }
}

/**
 * A call of the client library, which waits long for brokers that do not let it in, or for topics that are
 * gone, as for brokers that are away: as long as it takes `ask` is asked, and rejects where there is no sense
 * in waiting.
 */
export const unless = async <T>(call: Promise<T>, ask: () => Promise<void>): Promise<T> => {
  const answered = new AbortController()
  const { signal } = answered
  const asking = async (): Promise<T> => {
    for (;;) {
      await sleep(ASK_MS, undefined, { signal, ref: false }).catch(() => undefined)
      if (signal.aborted) return call
      await ask()
    }
  }
  try {
    return await Promise.race([call, asking()])
  } finally {
    answered.abort()
  }
}

const ASK_MS = 1000
