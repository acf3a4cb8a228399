import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { KtError } from '../graph/error.ts'
import type { Plan } from '../graph/plan.ts'
import { MECHANISMS } from '../runtime/driver/kafka-access.ts'
import type { KafkaAccess } from '../runtime/driver/kafka-access.ts'
import { findTopics } from '../runtime/driver/kafka-settings.ts'
import { differencesOf, wantedTopics } from '../runtime/topics.ts'
import type { Difference, WantedTopic } from '../runtime/topics.ts'
import type { KafkaPlace } from './kafka-place.ts'
import { durationMs, wholeNumber } from './settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_RETENTION = '7d'

/** What `KT_KAFKA_*` say, for a graph; undefined: the log is the embedded one. Throws KT6430. */
export const kafkaAsked = (graph: string, environment: Environment = process.env): KafkaPlace | undefined => {
  const say = (name: string): string | undefined => environment[`KT_KAFKA_${name}`] || undefined
  const file = (name: string): string | undefined => {
    const path = say(name)
    if (path !== undefined) readable(`KT_KAFKA_${name}`, path)
    return path === undefined ? undefined : resolve(path)
  }
  const brokers = say('BROKERS')
  if (brokers === undefined) return undefined
  for (const broker of brokers.split(',')) {
    const port = /^(?:[^\s:]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(broker.trim())?.[1]
    if (port === undefined || Number(port) > 65_535)
      throw wrong('KT_KAFKA_BROKERS', `"${broker}" is not host:port`)
  }
  const [ca, cert, key] = [file('CA'), file('CERT'), file('KEY')]
  if ((cert === undefined) !== (key === undefined))
    throw wrong('KT_KAFKA_CERT', 'a certificate needs its key, and a key its certificate: set both')
  const sasl = MECHANISMS.find((one) => one === say('SASL'))
  if (say('SASL') !== undefined && sasl === undefined)
    throw wrong('KT_KAFKA_SASL', `"${say('SASL')}" is not one of ${MECHANISMS.join(', ')}`)
  const [user, passwordFile] = [say('USER'), file('PASSWORD_FILE')]
  if (sasl !== undefined && (user === undefined || (passwordFile ?? say('PASSWORD')) === undefined))
    throw wrong(
      'KT_KAFKA_SASL',
      'a log-in needs KT_KAFKA_USER, and KT_KAFKA_PASSWORD_FILE or KT_KAFKA_PASSWORD',
    )
  if (sasl === undefined && user !== undefined)
    throw wrong('KT_KAFKA_USER', `a user needs KT_KAFKA_SASL: ${MECHANISMS.join(', ')}`)
  const tls = say('TLS') ?? (ca === undefined && cert === undefined ? '0' : '1')
  if (tls !== '0' && tls !== '1') throw wrong('KT_KAFKA_TLS', `"${tls}" is not 0 or 1`)
  const prefix = environment['KT_KAFKA_PREFIX'] ?? `${graph}.`
  if (!/^[a-zA-Z0-9._-]{0,40}$/.test(prefix))
    throw wrong('KT_KAFKA_PREFIX', `"${prefix}" is not up to 40 letters, digits, dots and dashes`)
  const replicas = say('REPLICAS')
  return {
    ...{ brokers, prefix, tls: tls === '1', ca, cert, key, sasl, user, passwordFile },
    retentionMs: durationMs(say('RETENTION') ?? DEFAULT_RETENTION, 'KT_KAFKA_RETENTION'),
    replicas: replicas === undefined ? undefined : wholeNumber(replicas, 'KT_KAFKA_REPLICAS', 1, 9),
  }
}

/** With the password, which is read now. */
export const accessOf = (place: KafkaPlace): KafkaAccess => {
  const { brokers, tls, ca, cert, key, sasl, user = '', passwordFile } = place
  const password =
    passwordFile === undefined
      ? (process.env['KT_KAFKA_PASSWORD'] ?? '')
      : readable('KT_KAFKA_PASSWORD_FILE', passwordFile).trim()
  if (sasl !== undefined && password === '')
    throw wrong('KT_KAFKA_PASSWORD', `"${user}" logs in to Kafka, and there is no password`)
  return {
    brokers,
    tls,
    ca,
    cert,
    key,
    sasl: sasl === undefined ? undefined : { mechanism: sasl, user, password },
  }
}

/** How the topics of a graph should be, and what of that is not so. */
export const compareTopics = async (
  place: KafkaPlace,
  plan: Pick<Plan, 'topics'>,
): Promise<{ readonly wanted: readonly WantedTopic[]; readonly differences: readonly Difference[] }> => {
  const access = accessOf(place)
  const names = wantedTopics(plan, place, 1).map(({ name }) => name)
  const { brokers, topics } = await findTopics(
    access,
    names.map((name) => place.prefix + name),
  )
  const wanted = wantedTopics(plan, place, brokers)
  return { wanted, differences: wanted.flatMap((one, i) => differencesOf(one, topics[i])) }
}

/**
 * Refuse what a run could not be exact on (KT3034). Topics that are missing are made by who needs them, with
 * as many replicas as is given back.
 */
export const checkTopics = async (place: KafkaPlace, plan: Pick<Plan, 'topics'>): Promise<number> => {
  const { wanted, differences } = await compareTopics(place, plan)
  const breaking = differences.filter((one) => one.breaks !== undefined)
  if (breaking.length === 0) return wanted[0]?.replicas ?? 1
  const [first] = breaking
  throw new KtError('KT3034', `topic "${place.prefix}${first!.topic}" has ${first!.what} ${first!.found}`, {
    where: place.brokers,
    why: breaking
      .map(({ topic, what, found, wanted, breaks }) => `${topic}: ${what} ${found}, not ${wanted}: ${breaks}`)
      .join('\n'),
    fix: 'See kt topic plan, then kt topic apply; or choose another KT_KAFKA_PREFIX.',
  })
}

const wrong = (where: string, message: string): KtError =>
  new KtError('KT6430', message, { where, fix: 'Correct the variable; docs/kafka.md has all of them.' })

const readable = (where: string, path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw wrong(where, `"${path}" cannot be read: ${(error as Error).message}`)
  }
}
