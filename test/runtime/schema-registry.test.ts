import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { rememberedRegistry } from '../../runtime/driver/remembered-registry.ts'
import { schemaRegistry } from '../../runtime/driver/schema-registry.ts'
import { registeredOf } from '../../runtime/format/registry.ts'
import { topic } from '../../graph/topic.ts'
import { key } from '../../graph/key.ts'
import { trade } from '../../market/event.ts'
import { registryServer } from './registry-server.ts'
import type { RegistryServer } from './registry-server.ts'
import { codeOf } from './steps.ts'

let server: RegistryServer
beforeEach(async () => void (server = await registryServer()))
afterEach(() => server.close())

const byVenue = key('venue', (event: { readonly venue: string }) => event.venue)
const avro = registeredOf(topic('trade', { schema: trade, key: byVenue, format: 'avro' }))!
const json = registeredOf(topic('trade', { schema: trade, key: byVenue, format: 'json' }))!
const TEXT = { type: 'AVRO', text: '"string"' } as const
const NUMBER = { type: 'AVRO', text: '"int"' } as const

describe('a schema registry', () => {
  test('gives a schema one id, and gives the schema back', async () => {
    const registry = schemaRegistry({ url: server.url, againMs: 5 })
    expect(await registry.standing('a-value', avro)).toEqual({ is: 'new' })
    const id = await registry.register('a-value', avro)
    expect(await registry.register('a-value', avro)).toBe(id)
    expect(await registry.standing('a-value', avro)).toEqual({ is: 'registered', id })
    expect(await registry.find(id)).toEqual(avro)
    const other = await registry.register('odd/name & more-value', json)
    expect(await registry.find(other)).toEqual(json)
    expect(server.versions('odd/name & more-value')).toMatchObject([{ id: other, schemaType: 'JSON' }])
  })

  test('is asked for a schema once', async () => {
    const registry = schemaRegistry({ url: server.url, againMs: 5 })
    const id = await registry.register('a-value', avro)
    await Promise.all(Array.from({ length: 20 }, () => registry.find(id)))
    await registry.find(id)
    expect(server.asked.filter((one) => one.startsWith('GET'))).toHaveLength(1)
  })

  test('that was away is asked again', async () => {
    const registry = schemaRegistry({ url: server.url, againMs: 5 })
    const id = await registry.register('a-value', avro)
    server.instead = async () => ({ status: 503, body: 'busy' })
    expect(await codeOf(registry.find(id))).toBe('KT3040')
    server.instead = async () => undefined
    expect(await registry.find(id)).toEqual(avro)
  })

  test('refuses what cannot read the schema before it, and says so before as well', async () => {
    const registry = schemaRegistry({ url: server.url, againMs: 5 })
    await registry.register('a-value', TEXT)
    expect(await registry.standing('a-value', NUMBER)).toMatchObject({ is: 'incompatible' })
    const refused = registry.register('a-value', NUMBER)
    await expect(refused).rejects.toMatchObject({
      code: 'KT1029',
      why: expect.stringMatching(/incompatible/) as unknown,
    })
    expect(server.versions('a-value')).toHaveLength(1)
  })

  test('lets in whom it knows', async () => {
    server.login = 'me:secret'
    expect(await codeOf(schemaRegistry({ url: server.url, againMs: 5 }).register('a-value', avro))).toBe(
      'KT3041',
    )
    const wrong = schemaRegistry({ url: server.url, user: 'me', password: 'guess' })
    expect(await codeOf(wrong.standing('a-value', avro))).toBe('KT3041')
    const right = schemaRegistry({ url: server.url, user: 'me', password: 'secret' })
    expect(await right.register('a-value', avro)).toBeGreaterThan(0)
  })

  test('that does not know an id says so, and is not asked thrice', async () => {
    expect(await codeOf(schemaRegistry({ url: server.url, againMs: 5 }).find(7))).toBe('KT3042')
    expect(server.asked).toEqual(['GET /schemas/ids/7'])
  })

  test.each([
    ['errors for a while', async () => ({ status: 500, body: {} })],
    ['a page of a proxy', async () => ({ status: 502, body: '<html>' })],
  ])('is tried again: %s', async (_, answer) => {
    let left = 2
    server.instead = async () => (left-- > 0 ? answer() : undefined)
    expect(await schemaRegistry({ url: server.url, againMs: 5 }).register('a-value', avro)).toBeGreaterThan(0)
  })

  test('that answers something else is KT3040', async () => {
    for (const body of ['hello', {}, { id: 'x' }, [], null]) {
      server.instead = async () => ({ status: 200, body })
      expect(await codeOf(schemaRegistry({ url: server.url, againMs: 5 }).register('a-value', avro))).toBe(
        'KT3040',
      )
    }
  })

  test('that hangs, or is not there, is KT3040; another address of it serves', async () => {
    server.instead = () => new Promise(() => {})
    expect(await codeOf(schemaRegistry({ url: server.url, timeoutMs: 100, againMs: 5 }).find(1))).toBe(
      'KT3040',
    )
    const dead = 'http://127.0.0.1:1'
    expect(await codeOf(schemaRegistry({ url: dead, againMs: 5 }).find(1))).toBe('KT3040')
    server.instead = async () => undefined
    expect(
      await schemaRegistry({ url: `${dead}, ${server.url}/`, againMs: 5 }).register('a-value', avro),
    ).toBeGreaterThan(0)
  })
})

describe('a registry that is remembered', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-registry-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const remembered = (file: string, url = server.url) =>
    rememberedRegistry(
      schemaRegistry({ url, timeoutMs: 200, againMs: 5 }),
      url,
      join(folder, file, 'registry.json'),
    )
  const away = () => (server.instead = async () => ({ status: 503, body: {} }))

  test('has its ids and schemas while it is away, and nothing else', async () => {
    const id = await remembered('a').register('a-value', avro)
    const found = await schemaRegistry({ url: server.url, againMs: 5 }).register('b-value', json)
    expect(await remembered('a').find(found)).toEqual(json)
    away()
    expect(await remembered('a').register('a-value', avro)).toBe(id)
    expect(await remembered('a').standing('a-value', avro)).toEqual({ is: 'registered', id })
    expect(await remembered('a').find(id)).toEqual(avro)
    expect(await remembered('a').find(found)).toEqual(json)
    expect(await codeOf(remembered('a').register('a-value', TEXT))).toBe('KT3040')
    expect(await codeOf(remembered('a').register('b-value', avro))).toBe('KT3040')
    expect(await codeOf(remembered('b').find(id))).toBe('KT3040')
  })

  test('is believed when it says something else now', async () => {
    await remembered('c').register('c-value', TEXT)
    server.instead = async () => ({ status: 200, body: { id: 7 } })
    expect(await remembered('c').register('c-value', TEXT)).toBe(7)
    away()
    expect(await remembered('c').register('c-value', TEXT)).toBe(7)
  })

  test('is not mixed up with another, and a torn file is as none', async () => {
    await remembered('d').register('d-value', TEXT)
    const other = 'http://127.0.0.1:1'
    expect(await codeOf(remembered('d', other).register('d-value', TEXT))).toBe('KT3040')
    writeFileSync(join(folder, 'd', 'registry.json'), '{"url":')
    expect(await remembered('d').register('d-value', TEXT)).toBeGreaterThan(0)
    away()
    expect(await remembered('d').register('d-value', TEXT)).toBeGreaterThan(0)
  })
})

const hasOpenssl = spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0

describe.skipIf(!hasOpenssl)('a registry behind TLS (needs openssl)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-registry-tls-'))
  const pem = (name: string): string => join(folder, `${name}.pem`)
  const read = (name: string): Buffer => readFileSync(pem(name))
  const openssl = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'ignore'] })
  let secure: RegistryServer

  beforeAll(async () => {
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout']
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
    for (const name of ['server', 'kt']) {
      openssl('req', '-subj', `/CN=${name}`, ...made, pem(`${name}-key`), '-out', pem(`${name}-asked`))
      const by = ['-CA', pem('ca'), '-CAkey', pem('ca-key'), '-CAcreateserial', '-days', '2']
      openssl('x509', '-req', '-in', pem(`${name}-asked`), ...by, '-extfile', pem('names'), '-out', pem(name))
    }
    const mutual = { requestCert: true, rejectUnauthorized: true }
    secure = await registryServer({
      ca: read('ca'),
      cert: read('server'),
      key: read('server-key'),
      ...mutual,
    })
  })
  afterAll(async () => {
    await secure.close()
    rmSync(folder, { recursive: true })
  })

  test('is trusted by its authority, and knows us by our certificate', async () => {
    const access = { url: secure.url, ca: pem('ca'), cert: pem('kt'), key: pem('kt-key') }
    expect(await schemaRegistry(access).register('a-value', avro)).toBeGreaterThan(0)
  })

  test('that is not trusted, or does not know us, is KT3041', async () => {
    const us = { cert: pem('kt'), key: pem('kt-key') }
    expect(await codeOf(schemaRegistry({ url: secure.url, ...us }).find(1))).toBe('KT3041')
    expect(await codeOf(schemaRegistry({ url: secure.url, ca: pem('other'), ...us }).find(1))).toBe('KT3041')
    expect(await codeOf(schemaRegistry({ url: secure.url, ca: pem('ca') }).find(1))).toBe('KT3041')
    expect(
      await codeOf(schemaRegistry({ url: secure.url.replace('https', 'http'), againMs: 5 }).find(1)),
    ).toMatch(/^KT304[01]$/)
    expect(secure.versions('a-value')).toHaveLength(1)
  })
})
