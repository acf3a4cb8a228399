import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { key } from '../../graph/key.ts'
import type { Log } from '../../graph/port.ts'
import { logged } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { schemaAt } from '../../graph/schema-versions.ts'
import { topic } from '../../graph/topic.ts'
import type { Format } from '../../graph/topic.ts'
import { schemaRegistry } from '../../runtime/driver/schema-registry.ts'
import { formatted } from '../../runtime/format/formatted-log.ts'
import { registeredOf } from '../../runtime/format/registry.ts'
import type { RegisteredSchema, Registry } from '../../runtime/format/registry.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { batchBytes, eventOf, SCHEMAS } from './events.ts'
import { evolved, WAYS } from './evolved-events.ts'
import { hasRegistry, realRegistry } from './real-registry.ts'
import type { RealRegistry } from './real-registry.ts'
import { codeOf, drain, from } from './steps.ts'

const wanted = hasRegistry()
const name = wanted ? 'a real registry' : 'a real registry (needs KT_REGISTRY=1, Java and Maven)'

let real: RealRegistry
let registry: Registry
let subjects = 0

const byAny = key('any', (_: unknown) => '')
const schemaOf = (of: AnySchema, format: Format): RegisteredSchema =>
  registeredOf(topic('t', { schema: of as never, key: byAny, format }))!

describe.skipIf(!wanted)(name, () => {
  beforeAll(async () => {
    real = await realRegistry()
    registry = schemaRegistry({ url: real.url })
  }, 300_000)
  afterAll(() => real.close())

  test.each(
    SCHEMAS.flatMap((one) => (['json', 'avro'] as const).map((format) => [one.name, format, one] as const)),
  )('takes the schema of %s as %s, and gives it back', async (event, format, one) => {
    const subject = `basis.${event}-${format}-value`
    const schema = schemaOf(one, format)
    expect(await registry.standing(subject, schema)).toEqual({ is: 'new' })
    const id = await registry.register(subject, schema)
    expect(await registry.register(subject, schema)).toBe(id)
    expect(await registry.standing(subject, schema)).toEqual({ is: 'registered', id })
    const found = await registry.find(id)
    expect([found.type, JSON.parse(found.text)]).toEqual([schema.type, JSON.parse(schema.text)])
  })

  const changes = WAYS.map(([from, to]) => [`${said(from)} to ${said(to)}`, evolved(from, to)] as const)

  test.each(changes)('takes a change that kt takes: %s', async (change, now) => {
    for (const format of ['avro', 'json'] as const) {
      const subject = `changed.${++subjects}-value`
      await registry.register(subject, schemaOf(schemaAt(now, 1)!, format))
      const { is } = await registry.standing(subject, schemaOf(now, format))
      // Of JSON a registry may see another type where kt sees a wider one: docs/formats.md says so.
      const other = format === 'json' && OTHER_TYPES.test(change)
      expect([format, is], change).toEqual([format, other ? 'incompatible' : 'new'])
    }
  })

  test('refuses what cannot read what is there, in a sentence', async () => {
    const [some, other] = [
      { type: 'AVRO', text: '"string"' } as const,
      { type: 'AVRO', text: '"int"' } as const,
    ]
    await registry.register('refused-value', some)
    expect(await registry.standing('refused-value', other)).toMatchObject({
      is: 'incompatible',
      why: expect.stringMatching(/INT/) as unknown,
    })
    expect(await codeOf(registry.register('refused-value', other))).toBe('KT1029')
    expect(await codeOf(registry.find(123_456))).toBe('KT3042')
  })

  test('serves a log whose reader knows nothing yet', async () => {
    const [schema] = SCHEMAS
    const of = topic('every', { schema: schema as never, key: byAny, format: 'avro' })
    const below = new MemoryLog(new VirtualClock(0))
    const here = (): Log =>
      formatted(below, { topics: [of], registry: schemaRegistry({ url: real.url }), prefix: 'log.' })
    const rows = fc.sample(eventOf(schema!), { numRuns: 20, seed: 1 })
    const bytes = batchBytes(schema!, rows)
    const record = { topic: 'every', partition: 0, schema: 'every/1', rows: rows.length, bytes }
    const writer = await here().write('a')
    await writer.append({ shard: 'a', step: 1, time: 0, inputs: [], records: [record] })
    const found = await drain(await here().read(from('every')))
    const read = found.flatMap((one) => rowsOf(readBatch(logged(schema!), one.bytes)))
    expect(read).toEqual(rowsOf(readBatch(logged(schema!), bytes)))
  })
})

/** A number or flag that becomes optional, and a choice that becomes a text or a name. */
const OTHER_TYPES = /^(int|count|float|micros|flag) to optional|choice to (optional )?(name|text)$/

function said({ kind, nullable }: { readonly kind: string; readonly nullable: boolean }): string {
  return `${nullable ? 'optional ' : ''}${kind}`
}
