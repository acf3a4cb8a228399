import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkRegistry, registryAsked, registryOf, subjectsOf, subjectText } from '../../cli/registry.ts'
import { planOf } from '../../cli/graph-file.ts'
import { graph } from '../../graph/graph.ts'
import { topic } from '../../graph/topic.ts'
import type { Format } from '../../graph/topic.ts'
import { byPair, trade } from '../../market/index.ts'
import { normalize } from '../../operators/index.ts'
import { binance } from '../../sources/index.ts'
import { registryServer } from '../runtime/registry-server.ts'
import type { RegistryServer } from '../runtime/registry-server.ts'
import { codeOf } from '../runtime/steps.ts'

let folder: string
let server: RegistryServer
const file = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kt-registry-cli-'))
  for (const name of ['ca', 'cert', 'key']) writeFileSync(file(name), '')
  writeFileSync(file('password'), 'secret\n')
  server = await registryServer()
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await server.close()
})

const asked = (variables: Readonly<Record<string, string>>) =>
  registryAsked(
    Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [`KT_SCHEMA_REGISTRY_${name}`, value]),
    ),
  )
const URL = 'https://a:8081,https://b:8081/path'

const planWith = (format: Format) =>
  planOf(
    graph('small', (g) => {
      const spot = g.source(binance.spot, { universe: { quote: 'USDT' }, channels: ['trade'], keep: byPair })
      spot.trade.via(normalize(trade)).through(topic('trade', { schema: trade, key: byPair, format }))
    }),
  )

describe('KT_SCHEMA_REGISTRY_', () => {
  test('without an address says that there is no registry', () => {
    expect(asked({})).toBeUndefined()
    expect(asked({ URL: '', USER: 'me' })).toBeUndefined()
  })

  test('names a registry; the password is read when it is needed, and not kept', async () => {
    const tls = { CA: file('ca'), CERT: file('cert'), KEY: file('key') }
    const place = asked({ URL, USER: 'me', PASSWORD_FILE: file('password'), ...tls })!
    expect(place).toMatchObject({ url: URL, user: 'me', ca: file('ca') })
    expect(JSON.stringify(place)).not.toContain('secret')
    server.login = 'me:secret'
    const here = asked({ URL: server.url, USER: 'me', PASSWORD_FILE: file('password') })!
    expect(await registryOf(here).register('x', { type: 'AVRO', text: '"int"' })).toBeGreaterThan(0)
    server.login = undefined
  })

  test.each([
    ['an address without a protocol', { URL: 'localhost:8081' }],
    ['another protocol', { URL: 'ftp://a' }],
    ['a log-in in the address', { URL: 'http://me:secret@a:8081' }],
    ['a user without a password', { URL, USER: 'me' }],
    ['a certificate without its key', { URL, CERT: 'cert' }],
    ['a file that is not there', { URL, CA: '/nowhere/ca.pem' }],
  ])('is refused where it cannot be right: %s', async (_, variables) => {
    const made = Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [name, value === 'cert' ? file('cert') : value]),
    )
    expect(await codeOf(Promise.resolve().then(() => asked(made)))).toBe('KT6431')
  })
})

describe('the registry of a plan', () => {
  test('says what would be registered, what is, and what it would refuse', async () => {
    const place = { url: server.url }
    const avro = planWith('avro')
    const said = async () => (await subjectsOf(avro, place, 'small.')).map(subjectText)
    expect(await said()).toEqual(['+ schema    small.trade-value: AVRO, would be registered'])
    await checkRegistry(avro, place, 'small.')
    expect(server.versions('small.trade-value')).toEqual([])
    const text = '{"type":"record","name":"trade","namespace":"kt","fields":[]}'
    await registryOf(place).register('small.trade-value', { type: 'AVRO', text })
    // What is there has none of the columns, and they may not be missing.
    expect(await codeOf(subjectsOf(avro, place, 'small.'))).toBe('KT1029')
    expect(await codeOf(checkRegistry(avro, place, 'small.'))).toBe('KT1029')
    expect(await subjectsOf(planWith('json'), place, 'other.')).toMatchObject([
      { type: 'JSON', standing: { is: 'new' } },
    ])
  })

  test('is not asked for topics of batches, and is needed for Avro alone', async () => {
    const away = { url: 'http://127.0.0.1:1' }
    expect(await subjectsOf(planWith('arrow'), away, 'small.')).toEqual([])
    await checkRegistry(planWith('arrow'), undefined, 'small.')
    await checkRegistry(planWith('json'), undefined, 'small.')
    expect(await codeOf(checkRegistry(planWith('avro'), undefined, 'small.'))).toBe('KT6432')
    expect(await codeOf(checkRegistry(planWith('json'), away, 'small.'))).toBe('KT3040')
  })

  test('does not know an event whose name Avro does not take', () => {
    const odd = { ...trade, name: 'my-trade' } as unknown as typeof trade
    expect(() => topic('trade', { schema: odd, key: byPair, format: 'avro' })).toThrow(
      expect.objectContaining({ code: 'KT1028' }),
    )
    expect(topic('trade', { schema: odd, key: byPair, format: 'json' }).format).toBe('json')
    expect(() => topic('trade', { schema: trade, key: byPair, format: 'yaml' as Format })).toThrow(
      expect.objectContaining({ code: 'KT1027' }),
    )
  })
})
