import { HostError } from '../../graph/error.ts'
import type { Settings } from './kafka-library.ts'

export const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

/** How brokers are reached, and as whom. */
export interface KafkaAccess {
  /** `host:port`, several parted by commas. */
  readonly brokers: string
  readonly tls: boolean
  /** Files in PEM: whom to trust, and who we are (mTLS). */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly sasl?: KafkaSasl | undefined
}

export interface KafkaSasl {
  readonly mechanism: (typeof MECHANISMS)[number]
  readonly user: string
  readonly password: string
}

/** The same for the client library. */
export const connectionOf = ({ tls, ca, cert, key, sasl }: KafkaAccess): Settings => ({
  'security.protocol': `${sasl === undefined ? '' : 'sasl_'}${tls ? 'ssl' : 'plaintext'}`,
  ...(ca === undefined ? {} : { 'ssl.ca.location': ca }),
  ...(cert === undefined ? {} : { 'ssl.certificate.location': cert }),
  ...(key === undefined ? {} : { 'ssl.key.location': key }),
  ...(sasl === undefined
    ? {}
    : { 'sasl.mechanisms': sasl.mechanism, 'sasl.username': sasl.user, 'sasl.password': sasl.password }),
})

/** What the brokers say to those who lack a right: topic, group, cluster, transactional id. */
export const FORBIDDEN: ReadonlySet<number> = new Set([29, 30, 31, 53])

/** KT3031: nobody answers there. */
export const unanswered = (brokers: string, why: string): HostError =>
  new HostError('KT3031', 'the Kafka brokers refused a call or did not answer it', {
    where: brokers,
    why,
    fix: 'Look whether the brokers run and can be reached from here; correct KT_KAFKA_BROKERS if not.',
    facts: { brokers },
    retry: { afterMs: 1000 },
  })

/** KT3032: they are there, and will not talk to us. */
export const rejected = (brokers: string, why: string): HostError =>
  new HostError('KT3032', 'the Kafka brokers do not let us in', {
    where: brokers,
    why,
    fix: 'Correct KT_KAFKA_BROKERS, _TLS, _CA, _CERT, _KEY, _SASL, _USER, _PASSWORD_FILE: docs/kafka.md.',
    facts: { brokers },
    retry: { afterMs: 1000 },
  })

/** KT3033: they know us, and we may not do that. */
export const forbidden = (brokers: string, what: string, why: string): HostError =>
  new HostError('KT3033', `the Kafka brokers do not allow to ${what}`, {
    where: brokers,
    why,
    fix: 'Give the user of KT_KAFKA_USER this right; docs/kafka.md lists which ones kt needs.',
    facts: { brokers },
    retry: 'never',
  })
