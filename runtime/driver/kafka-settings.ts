import { HostError } from '../../graph/error.ts'
import type { FoundTopic, TopicSettings } from '../topics.ts'
import { FORBIDDEN, forbidden, unanswered } from './kafka-access.ts'
import type { KafkaAccess } from './kafka-access.ts'
import { METADATA, Writing, openWire } from './kafka-wire.ts'
import type { Wire } from './kafka-wire.ts'

const DESCRIBE = 32
const ALTER = 44
const TOPIC = 2
const UNKNOWN_TOPIC = 3

/** What a cluster has of some topics. */
export interface FoundTopics {
  readonly brokers: number
  /** Undefined: there is none of that name. */
  readonly topics: readonly (FoundTopic | undefined)[]
}

/** Look at topics, with the settings that matter to kt. Throws KT3031, KT3032, KT3033. */
export const findTopics = async (access: KafkaAccess, names: readonly string[]): Promise<FoundTopics> => {
  const wire = await openWire(access)
  try {
    const { brokers, topics } = await metadataOf(wire, access.brokers, names)
    const there = topics.filter(({ error }) => error === 0)
    const configs = await configsOf(
      wire,
      access.brokers,
      there.map(({ name }) => name),
    )
    return {
      brokers,
      topics: names.map((name) => {
        const one = there.find((topic) => topic.name === name)
        if (one === undefined) return undefined
        return { partitions: one.partitions.length, replicas: one.replicas, config: configs.get(name) ?? {} }
      }),
    }
  } catch (error) {
    throw named(access.brokers, error)
  } finally {
    wire.close()
  }
}

/** Set settings of topics that exist. Throws KT3031, KT3032, KT3033. */
export const alterTopics = async (
  access: KafkaAccess,
  changes: readonly { readonly name: string; readonly config: NonNullable<TopicSettings['config']> }[],
): Promise<void> => {
  if (changes.length === 0) return
  const wire = await openWire(access)
  try {
    const body = new Writing()
    body.list(changes, ({ name, config }) => {
      body.int(1, TOPIC).text(name)
      body.list(Object.entries(config), ([key, value]) => body.text(key).int(1, 0).text(value))
    })
    const answer = await wire.ask(ALTER, 0, body.int(1, 0))
    answer.int(4)
    answer.list(() => {
      const [code, why] = [answer.int(2), answer.text()]
      answer.int(1)
      const name = answer.text()
      check(access.brokers, `change the settings of topic "${name}"`, code, why)
    })
  } catch (error) {
    throw named(access.brokers, error)
  } finally {
    wire.close()
  }
}

interface Described {
  readonly error: number
  readonly name: string
  readonly partitions: readonly number[]
  /** The fewest of any partition. */
  readonly replicas: number
}

const metadataOf = async (
  wire: Wire,
  brokers: string,
  names: readonly string[],
): Promise<{ readonly brokers: number; readonly topics: readonly Described[] }> => {
  const body = new Writing()
  const answer = await wire.ask(METADATA, 4, body.list(names, (name) => void body.text(name)).int(1, 0))
  answer.int(4)
  const nodes = answer.list(() => [answer.int(4), answer.text(), answer.int(4), answer.text()])
  answer.text()
  answer.int(4)
  const topics = answer.list((): Described => {
    const [error, name] = [answer.int(2), answer.text() ?? '']
    answer.int(1)
    const partitions = answer.list(() => {
      answer.int(2)
      answer.int(4)
      answer.int(4)
      const replicas = answer.list(() => answer.int(4)).length
      answer.list(() => answer.int(4))
      return replicas
    })
    return { error, name, partitions, replicas: Math.min(...partitions) }
  })
  for (const { error, name } of topics)
    if (error !== UNKNOWN_TOPIC) check(brokers, `look at topic "${name}"`, error, undefined)
  return { brokers: nodes.length, topics }
}

const configsOf = async (
  wire: Wire,
  brokers: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> => {
  const body = new Writing()
  body.list(names, (name) => body.int(1, TOPIC).text(name).int(4, -1))
  const answer = await wire.ask(DESCRIBE, 1, body.int(1, 0))
  answer.int(4)
  const found = answer.list(() => {
    const [code, why] = [answer.int(2), answer.text()]
    answer.int(1)
    const name = answer.text() ?? ''
    check(brokers, `look at the settings of topic "${name}"`, code, why)
    const config = answer.list(() => {
      const pair = [answer.text() ?? '', answer.text() ?? ''] as const
      answer.int(1)
      answer.int(1)
      answer.int(1)
      answer.list(() => [answer.text(), answer.text(), answer.int(1)])
      return pair
    })
    return [name, Object.fromEntries(config)] as const
  })
  return new Map(found)
}

const check = (brokers: string, what: string, code: number, why: string | undefined): void => {
  if (code === 0) return
  if (FORBIDDEN.has(code)) throw forbidden(brokers, what, why ?? `Kafka's code is ${code}.`)
  throw unanswered(brokers, `It could not ${what}: ${why ?? 'no reason given'} (${code}).`)
}

const named = (brokers: string, error: unknown): Error =>
  error instanceof HostError
    ? error
    : unanswered(brokers, error instanceof Error ? error.message : String(error))
