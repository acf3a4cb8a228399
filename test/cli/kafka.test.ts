import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accessOf, kafkaAsked } from '../../cli/kafka.ts'
import { connectionOf } from '../../runtime/driver/kafka-access.ts'
import { codeOf } from '../runtime/steps.ts'

let folder: string
const file = (name: string): string => join(folder, name)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kt-kafka-cli-'))
  for (const name of ['ca', 'cert', 'key']) writeFileSync(file(name), '')
  writeFileSync(file('password'), 'secret\n')
})
afterAll(() => rmSync(folder, { recursive: true }))

const asked = (variables: Readonly<Record<string, string>>) =>
  kafkaAsked(
    'basis',
    Object.fromEntries(Object.entries(variables).map(([name, value]) => [`KT_KAFKA_${name}`, value])),
  )
const BROKERS = 'a:9092,b:9092'

describe('KT_KAFKA_', () => {
  test('without brokers says that the log is the embedded one', () => {
    expect(asked({})).toBeUndefined()
    expect(asked({ BROKERS: '', PREFIX: 'x.' })).toBeUndefined()
  })

  test('names brokers, and topics by their graph', () => {
    const place = asked({ BROKERS })!
    expect(place).toMatchObject({ brokers: BROKERS, prefix: 'basis.', tls: false, retentionMs: 604_800_000 })
    expect(connectionOf(accessOf(place))).toEqual({ 'security.protocol': 'plaintext' })
    expect(asked({ BROKERS, PREFIX: '' })!.prefix).toBe('')
    expect(asked({ BROKERS, RETENTION: '2d', REPLICAS: '2' })).toMatchObject({
      retentionMs: 172_800_000,
      replicas: 2,
    })
  })

  test('takes TLS, a log-in and a certificate; the password is read when it is needed, and not kept', () => {
    const tls = { CA: file('ca'), CERT: file('cert'), KEY: file('key') }
    const log = { SASL: 'SCRAM-SHA-512', USER: 'u', PASSWORD_FILE: file('password') }
    const place = asked({ BROKERS, ...tls, ...log })!
    expect(JSON.stringify(place)).not.toContain('secret')
    expect(connectionOf(accessOf(place))).toEqual({
      'security.protocol': 'sasl_ssl',
      'ssl.ca.location': file('ca'),
      'ssl.certificate.location': file('cert'),
      'ssl.key.location': file('key'),
      'sasl.mechanisms': 'SCRAM-SHA-512',
      'sasl.username': 'u',
      'sasl.password': 'secret',
    })
    expect(connectionOf(accessOf(asked({ BROKERS, TLS: '1' })!))).toEqual({ 'security.protocol': 'ssl' })
  })

  test('is refused without its password, also by a command that comes after the run', async () => {
    const place = asked({ BROKERS, SASL: 'PLAIN', USER: 'u', PASSWORD: 'secret' })!
    expect(process.env['KT_KAFKA_PASSWORD']).toBeUndefined()
    expect(await codeOf(Promise.resolve().then(() => accessOf(place)))).toBe('KT6430')
  })

  test('is refused where it cannot be right', async () => {
    const wrong: readonly Readonly<Record<string, string>>[] = [
      { BROKERS: 'a' },
      { BROKERS: 'a:b' },
      { BROKERS: 'a:9092,' },
      { BROKERS: 'a:65536' },
      { BROKERS: 'http://a:9092' },
      { BROKERS, TLS: 'yes' },
      { BROKERS, CA: file('absent') },
      { BROKERS, CERT: file('cert') },
      { BROKERS, KEY: file('key') },
      { BROKERS, SASL: 'GSSAPI' },
      { BROKERS, SASL: 'PLAIN' },
      { BROKERS, SASL: 'PLAIN', USER: 'u' },
      { BROKERS, USER: 'u' },
      { BROKERS, PREFIX: 'a b' },
    ]
    const codes = await Promise.all(wrong.map((one) => codeOf(Promise.resolve().then(() => asked(one)))))
    expect(codes).toEqual(wrong.map(() => 'KT6430'))
  })
})
