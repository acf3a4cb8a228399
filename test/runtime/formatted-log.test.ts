import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { key } from '../../graph/key.ts'
import type { Log, LogRecord, Placed, ReadFrom } from '../../graph/port.ts'
import { present } from '../../graph/present.ts'
import { float, int, logged, micros, name, optional, schema, schemaId } from '../../graph/schema.ts'
import type { Event } from '../../graph/schema.ts'
import { since, widened } from '../../graph/schema-versions.ts'
import { topic } from '../../graph/topic.ts'
import type { AnyTopic, Format } from '../../graph/topic.ts'
import { schemaRegistry } from '../../runtime/driver/schema-registry.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { formatted } from '../../runtime/format/formatted-log.ts'
import type { Registry } from '../../runtime/format/registry.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { batchBytes, eventOf, SCHEMAS } from './events.ts'
import type { Row } from './events.ts'
import { FORMATS, rowsIn } from './formatted-world.ts'
import { registryServer } from './registry-server.ts'
import type { RegistryServer } from './registry-server.ts'
import { inFolder } from './segment-home.ts'
import { codeOf, drain, from, S } from './steps.ts'

let server: RegistryServer
let registry: Registry
beforeAll(async () => {
  server = await registryServer()
  registry = schemaRegistry({ url: server.url })
})
afterAll(() => server.close())

const byFirst = key('first', (event: object) => String(Object.values(event)[0]).slice(0, 3))

/** A topic of each event in each format. */
const TOPICS: readonly AnyTopic[] = SCHEMAS.flatMap((one) =>
  FORMATS.map((format) =>
    topic(`${one.name}-${format}`, { schema: one as never, key: byFirst, partitions: 2, format }),
  ),
)

const recordOf = (of: AnyTopic, partition: number, rows: readonly Row[]): LogRecord => ({
  topic: of.name,
  partition,
  schema: schemaId(of.schema),
  rows: rows.length,
  bytes: batchBytes(of.schema, rows),
})

const whole = (topics: readonly AnyTopic[], prefix: string) => ({ topics, registry, prefix })

/** Rows of some topics, in some steps, as any log gives them back. */
const tried = async (log: Log, steps: readonly (readonly LogRecord[])[]): Promise<void> => {
  const writer = await log.write('a')
  const lasts: (readonly number[])[] = []
  for (const [i, records] of steps.entries())
    lasts.push(await writer.append({ shard: 'a', step: i + 1, time: S, inputs: [], records }))
  const nexts = new Map<string, number>()
  for (const of of TOPICS) {
    for (const partition of [0, 1]) {
      const written = steps.flat().filter((one) => one.topic === of.name && one.partition === partition)
      if (written.length === 0) continue
      const expected = written.flatMap(({ bytes }) => rowsOf(readBatch(logged(of.schema), bytes)))
      const places = [{ topic: of.name, partition, offset: 0 }]
      const reader = await log.read(places)
      const found = await drain(reader, 2000)
      await reader.close()
      expect(rowsIn(TOPICS, found)).toEqual(expected)
      expect(
        found.every(({ bytes, schema: id }) => bytes.byteOffset % 8 === 0 && id === schemaId(of.schema)),
      ).toBe(true)
      if (of.format !== 'arrow') expect(found.map(({ rows }) => rows)).toEqual(expected.map(() => 1))
      expect(await shown(log, places)).toEqual(expected)
      nexts.set(`${of.name}/${partition}`, found.at(-1)!.offset)
    }
  }
  const told = new Map<string, number>()
  steps.forEach((records, i) =>
    records.forEach((one, at) => told.set(`${one.topic}/${one.partition}`, lasts[i]![at]!)),
  )
  expect(told).toEqual(nexts)
}

/** The same by `scan`, where there is one. */
const shown = async (log: Log, places: readonly ReadFrom[]): Promise<readonly Row[]> => {
  const reader = await log.read(places)
  const rows: Row[] = []
  const see = (record: Placed): void => void rows.push(...rowsIn(TOPICS, [record]))
  if (reader.scan === undefined) (await drain(reader)).forEach(see)
  else while ((await reader.scan(2000, 0, see)) > 0);
  await reader.close()
  return rows
}

const steps: fc.Arbitrary<readonly (readonly LogRecord[])[]> = fc.array(
  fc.uniqueArray(fc.nat(TOPICS.length * 2 - 1), { minLength: 1, maxLength: 5 }).chain((places) =>
    fc.tuple(
      ...places.map((place) => {
        const of = TOPICS[place >> 1]!
        return fc
          .array(eventOf(of.schema), { minLength: 1, maxLength: 5 })
          .map((rows) => recordOf(of, place & 1, rows))
      }),
    ),
  ),
  { minLength: 1, maxLength: 4 },
)

describe('a log of topics in several formats', () => {
  test('gives back the rows that it was given, one a record, and says where the last of a batch lies', async () => {
    await fc.assert(
      fc.asyncProperty(steps, (all) =>
        tried(formatted(new MemoryLog(new VirtualClock(0)), whole(TOPICS, 'a.')), all),
      ),
      { numRuns: 40 },
    )
  })

  test('does so on a disk, and shows them where they lie', async () => {
    await fc.assert(
      fc.asyncProperty(steps, (all) =>
        inFolder(async (folder) => {
          const log = formatted(await segmentLog(folder), whole(TOPICS, 'a.'))
          await tried(log, all).finally(() => log.close())
        }),
      ),
      { numRuns: 10 },
    )
  })

  test('hands the log below an event a record, with its key and its form', async () => {
    const below = new MemoryLog(new VirtualClock(0))
    const appended: LogRecord[] = []
    const spy: Log = {
      write: async (shard) => {
        const writer = await below.write(shard)
        return { ...writer, append: (step) => (appended.push(...step.records), writer.append(step)) }
      },
      read: (places) => below.read(places),
      ends: () => below.ends(),
      close: () => below.close(),
    }
    const of = TOPICS.find((one) => one.name === 'control-json')!
    const [row] = fc.sample(eventOf(of.schema), { numRuns: 1, seed: 1 })
    const writer = await formatted(spy, whole(TOPICS, 'a.')).write('a')
    await writer.append({
      shard: 'a',
      step: 1,
      time: S,
      inputs: [],
      records: [recordOf(of, 0, [row!, row!])],
    })
    const named = { topic: of.name, partition: 0, schema: 'control/1+json', rows: 1, key: byFirst.of(row!) }
    expect(appended).toMatchObject([named, named])
    const text = new TextDecoder().decode(appended[0]!.bytes)
    expect(JSON.parse(text)).toMatchObject({ kind: row!['kind'], _order: 0 })
  })
})

interface Tick extends Event<'tick'> {
  readonly what: string
  readonly received: number
  readonly level: number
}
interface TickWithFee extends Tick {
  readonly fee: number | null
}
const tick = schema<Tick>('tick', 'ticks', {
  what: name('what'),
  received: micros('when'),
  level: int('how many'),
})
const tickWithFee = schema<TickWithFee>(
  'tick',
  'ticks',
  {
    what: name('what'),
    received: micros('when'),
    level: widened(2, int('how many'), float('how many')),
    fee: since(2, optional(float('quote currency'))),
  },
  2,
)
const byWhat = key('what', (event: { readonly what: string }) => event.what)
const ticks = (format: Format) => topic(`ticks-${format}`, { schema: tick, key: byWhat, format })
const ticksWithFee = (format: Format) =>
  topic(`ticks-${format}`, { schema: tickWithFee, key: byWhat, format })

const OLD = { what: 'a', received: S, level: 3 }
const NEW = { what: 'b', received: S, level: 3.5, fee: 0.1 }

describe.each(['json', 'avro'] as const)('an event that has changed, as %s', (format) => {
  test('is read in both versions beside each other, and refused by the older graph', async () => {
    const log = new MemoryLog(new VirtualClock(0))
    const [before, after] = [ticks(format), ticksWithFee(format)]
    const prefix = `evolved-${format}.`
    const older = await formatted(log, whole([before], prefix)).write('a')
    await older.append({ shard: 'a', step: 1, time: S, inputs: [], records: [recordOf(before, 0, [OLD])] })
    const newer = formatted(log, whole([after], prefix))
    const writer = await newer.write('a')
    await writer.append({ shard: 'a', step: 2, time: S, inputs: [], records: [recordOf(after, 0, [NEW])] })
    expect(rowsIn([after], await drain(await newer.read(from(after.name))))).toEqual([
      { ...OLD, fee: null, _order: 0 },
      { ...NEW, _order: 0 },
    ])
    const records = await drain(await formatted(log, whole([before], prefix)).read(from(before.name)))
    expect(rowsIn([before], records.slice(0, 1))).toEqual([{ ...OLD, _order: 0 }])
    expect(() => present(tick, records[1]!)).toThrow(expect.objectContaining({ code: 'KT6001' }))
    expect(server.versions(`${prefix}ticks-${format}-value`)).toHaveLength(2)
  })

  test('does not begin when the registry refuses it', async () => {
    const prefix = `refused-${format}.`
    const log = new MemoryLog(new VirtualClock(0))
    await formatted(log, whole([ticksWithFee(format)], prefix)).write('a')
    const narrower = topic(`ticks-${format}`, {
      schema: schema<Event<'tick'> & { readonly other: string }>('tick', 'ticks', { other: name('what') }),
      key: key('other', (event: { readonly other: string }) => event.other),
      format,
    })
    expect(await codeOf(formatted(log, whole([narrower], prefix)).write('a'))).toBe('KT1029')
  })
})

describe('a topic in Avro', () => {
  const avro = ticks('avro')
  const step = { shard: 'a', step: 1, time: S, inputs: [], records: [recordOf(avro, 0, [OLD])] }

  test('needs a registry to be written and to be read', async () => {
    const log = new MemoryLog(new VirtualClock(0))
    const without = formatted(log, { topics: [avro], registry: undefined, prefix: '' })
    expect(await codeOf(without.write('a'))).toBe('KT6432')
    await (await formatted(log, whole([avro], 'need.')).write('a')).append(step)
    expect(await codeOf((await without.read(from(avro.name))).read(1000, 0))).toBe('KT6432')
  })

  test('loses nothing of a read while the registry does not answer', async () => {
    const log = new MemoryLog(new VirtualClock(0))
    await (await formatted(log, whole([avro], 'away.')).write('a')).append(step)
    let away = true
    const late: Registry = {
      ...registry,
      find: async (id) => (away ? Promise.reject(new Error('away')) : registry.find(id)),
    }
    const reader = await formatted(log, { topics: [avro], registry: late, prefix: 'away.' }).read(
      from(avro.name),
    )
    await expect(reader.read(1000, 0)).rejects.toThrow('away')
    away = false
    expect(rowsIn([avro], await reader.read(1000, 0))).toEqual([{ ...OLD, _order: 0 }])
  })

  test.each([
    ['an id that the registry does not know', (bytes: Uint8Array) => void (bytes[1] = 9), 'KT3042'],
    ['no zero before the id', (bytes: Uint8Array) => void (bytes[0] = 1), 'KT3001'],
    ['a text longer than its bytes', (bytes: Uint8Array) => void (bytes[5] = 100), 'KT3001'],
  ])('with a record that cannot be read gives all whole steps before it: %s', async (_, damage, code) => {
    const log = new MemoryLog(new VirtualClock(0))
    const writer = await formatted(log, whole([avro], 'bad.')).write('a')
    const raw = await log.write('b')
    await writer.append(step)
    const [good] = await drain(await log.read(from(avro.name)))
    const bytes = good!.bytes.slice()
    damage(bytes)
    const records = [
      { ...good!, bytes: good!.bytes },
      { ...good!, bytes },
    ]
    await raw.append({ shard: 'b', step: 1, time: S, inputs: [], records })
    const reader = await formatted(log, whole([avro], 'bad.')).read(from(avro.name))
    expect((await reader.read(1 << 20, 0)).map(({ shard }) => shard)).toEqual(['a'])
    expect(await codeOf(reader.read(1 << 20, 0))).toBe(code)
    expect(await codeOf(reader.read(1 << 20, 0))).toBe(code)
  })
})
