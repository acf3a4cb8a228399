import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { brokerDown, brokerUp, freePort } from '../../bin/kafka.ts'
import type { KafkaAccess, KafkaSasl } from '../../runtime/driver/kafka-access.ts'
import { kafkaLog } from '../../runtime/driver/kafka-log.ts'
import { alterTopics, findTopics } from '../../runtime/driver/kafka-settings.ts'
import { describeKafka } from './kafka-suite.ts'
import { codeOf, drain, fill, from } from './steps.ts'

let folder: string
let [plain, log, tls] = [0, 0, 0]
const pem = (name: string): string => join(folder, `${name}.pem`)

/** An authority of our own, and what it says of the broker and of us. */
const certificates = (): void => {
  const openssl = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'ignore'] })
  const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout']
  for (const name of ['ca', 'other'])
    openssl(
      'req',
      '-x509',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      ...made,
      pem(`${name}-key`),
      '-out',
      pem(name),
    )
  writeFileSync(pem('names'), 'subjectAltName=IP:127.0.0.1')
  for (const name of ['broker', 'kt']) {
    openssl('req', '-subj', `/CN=${name}`, ...made, pem(`${name}-key`), '-out', pem(`${name}-asked`))
    const signed = ['-CA', pem('ca'), '-CAkey', pem('ca-key'), '-CAcreateserial', '-days', '2']
    openssl(
      'x509',
      '-req',
      '-in',
      pem(`${name}-asked`),
      ...signed,
      '-extfile',
      pem('names'),
      '-out',
      pem(name),
    )
  }
  writeFileSync(pem('store'), readFileSync(pem('broker-key'), 'utf8') + readFileSync(pem('broker'), 'utf8'))
}

const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
const guarded = (port: number, controller: number): Readonly<Record<string, string>> => {
  const open = `PLAINTEXT://127.0.0.1:${port},LOGIN://127.0.0.1:${log},TLS://127.0.0.1:${tls}`
  const map = 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT,TLS:SSL'
  return {
    listeners: `${open},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': open,
    'listener.security.protocol.map': map,
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.login.plain.sasl.jaas.config': `${PLAIN} user_kt="secret" user_guest="guest";`,
    'listener.name.login.scram-sha-256.sasl.jaas.config': SCRAM,
    'listener.name.login.scram-sha-512.sasl.jaas.config': SCRAM,
    'listener.name.tls.ssl.keystore.type': 'PEM',
    'listener.name.tls.ssl.keystore.location': pem('store'),
    'listener.name.tls.ssl.truststore.type': 'PEM',
    'listener.name.tls.ssl.truststore.location': pem('ca'),
    'listener.name.tls.ssl.client.auth': 'required',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS;User:kt;User:CN=kt',
  }
}

const as = (mechanism: KafkaSasl['mechanism'], user = 'kt', password = 'secret'): KafkaAccess => ({
  brokers: `127.0.0.1:${log}`,
  tls: false,
  sasl: { mechanism, user, password },
})
const mutual = (more: Partial<KafkaAccess> = {}): KafkaAccess => ({
  ...{ brokers: `127.0.0.1:${tls}`, tls: true },
  ...{ ca: pem('ca'), cert: pem('kt'), key: pem('kt-key') },
  ...more,
})
const logAs = (access: KafkaAccess, prefix: string) =>
  kafkaLog({ brokers: access.brokers, prefix, shardPartitions: 1, access })

describeKafka('Kafka that lets in only whom it knows', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kt-kafka-'))
    certificates()
    ;[log, tls] = [await freePort(), await freePort()]
    const users = ['256', '512'].map((bits) => `SCRAM-SHA-${bits}=[name=kt,password=secret]`)
    ;({ port: plain } = await brokerUp(join(folder, 'broker'), { settings: guarded, users }))
  }, 180_000)

  afterAll(async () => {
    await brokerDown(join(folder, 'broker'), 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'mTLS'] as const)(
    'is written and read as who logged in with %s',
    async (how) => {
      const access = how === 'mTLS' ? mutual() : as(how)
      const prefix = `${how}.`
      const made = await logAs(access, prefix)
      const writer = await made.write('a')
      await fill(writer, 'a', 1, 3, ['t'])
      expect(await drain(await made.read(from('t')))).toHaveLength(3)
      await made.close()
      const { brokers, topics } = await findTopics(access, [`${prefix}t`, `${prefix}u`])
      expect([brokers, topics[0]?.partitions, topics[1]]).toEqual([1, 1, undefined])
      await alterTopics(access, [{ name: `${prefix}t`, config: { 'retention.ms': '77000' } }])
      await expect
        .poll(async () => (await findTopics(access, [`${prefix}t`])).topics[0]?.config['retention.ms'])
        .toBe('77000')
    },
  )

  test('says that it was not let in: wrong passwords, unknown ways, certificates, TLS on one side only', async () => {
    const [open] = [`127.0.0.1:${plain}`]
    const wrong: readonly KafkaAccess[] = [
      as('PLAIN', 'kt', 'wrong'),
      as('PLAIN', 'nobody'),
      as('SCRAM-SHA-256', 'kt', 'wrong'),
      as('SCRAM-SHA-512', 'nobody'),
      { ...as('PLAIN'), brokers: open },
      { ...as('PLAIN'), sasl: undefined },
      mutual({ ca: pem('other') }),
      mutual({ cert: undefined, key: undefined }),
      mutual({ key: pem('broker-key') }),
      mutual({ cert: pem('names') }),
      mutual({ brokers: open }),
      { brokers: `127.0.0.1:${tls}`, tls: false },
    ]
    const codes = await Promise.all(wrong.map((access) => codeOf(findTopics(access, []))))
    expect(codes).toEqual(wrong.map(() => 'KT3032'))
  })

  test('says so through the client library too, where that tells it', async () => {
    for (const access of [as('PLAIN', 'kt', 'wrong'), mutual({ ca: pem('other') })]) {
      const made = await logAs(access, 'x.')
      expect(await codeOf(made.read([]))).toBe('KT3032')
      // What only asks where partitions end says nothing of it but that nobody answers, after half a minute.
      const begun = performance.now()
      expect(await codeOf(made.ends())).toBe('KT3032')
      expect(performance.now() - begun).toBeLessThan(9000)
      await made.close()
    }
  })

  test('says which right is missing', async () => {
    const guest = as('PLAIN', 'guest', 'guest')
    expect(await codeOf(findTopics(guest, ['PLAIN.t']))).toBe('KT3033')
    expect(await codeOf(alterTopics(guest, [{ name: 'PLAIN.t', config: { 'retention.ms': '1' } }]))).toBe(
      'KT3033',
    )
    const made = await logAs(guest, 'PLAIN.')
    expect(await codeOf(made.write('a'))).toBe('KT3033')
    await made.close()
  })
})
