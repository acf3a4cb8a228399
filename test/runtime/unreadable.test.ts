import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { key } from '../../graph/key.ts'
import type { Log, Placed, ReadFrom } from '../../graph/port.ts'
import { present } from '../../graph/present.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import { topic } from '../../graph/topic.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { formatted } from '../../runtime/format/formatted-log.ts'
import type { Unreadable } from '../../runtime/format/sound.ts'
import { DAMAGED } from '../../runtime/log.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { scanned } from '../../runtime/scan.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { joined } from '../../sinks/arrow.ts'
import { batchBytes, eventOf, SCHEMAS } from './events.ts'
import { inFolder } from './segment-home.ts'
import { codeOf, drain, S } from './steps.ts'

const byFirst = key('first', (event: object) => String(Object.values(event)[0]).slice(0, 3))
/** A topic of each event as batches, and one of each as JSON. */
const TOPICS: readonly AnyTopic[] = SCHEMAS.flatMap((one) =>
  (['arrow', 'json'] as const).map((format) =>
    topic(`${one.name}-${format}`, { schema: one as never, key: byFirst, format }),
  ),
)

const over = (log: Log, unreadable?: Unreadable): Log =>
  formatted(log, { topics: TOPICS, registry: undefined, prefix: '', unreadable })

type Damage = (good: Placed) => Pick<Placed, 'bytes' | 'rows' | 'schema'>
const bytesOf = (change: (bytes: Uint8Array) => Uint8Array): Damage => {
  return ({ bytes, rows, schema }) => ({ bytes: change(bytes.slice()), rows, schema })
}

const damages: fc.Arbitrary<Damage> = fc.oneof(
  fc.nat(1000).map((cut) => bytesOf((bytes) => bytes.slice(0, Math.max(0, bytes.length - 1 - cut)))),
  fc
    .array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 })
    .map((flips) =>
      bytesOf((bytes) => {
        for (const [at, mask] of flips) bytes[at % bytes.length]! ^= mask
        return bytes
      }),
    ),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => bytesOf(() => bytes)),
  fc
    .integer({ min: 1, max: 3 })
    .map((more): Damage => ({ bytes, rows, schema }) => ({ bytes, rows: rows + more, schema })),
)

/** Three records of one topic, of which the second is damaged, whatever that makes of it. */
const cases = fc
  .nat(TOPICS.length - 1)
  .chain((at) =>
    fc.tuple(
      fc.constant(TOPICS[at]!),
      fc.array(eventOf(TOPICS[at]!.schema), { minLength: 1, maxLength: 1 }),
      damages,
    ),
  )

const written = async (log: Log, of: AnyTopic, rows: readonly object[], damage: Damage): Promise<void> => {
  const { name, schema } = of
  const record = { topic: name, partition: 0, schema: schemaId(schema), rows: rows.length }
  const records = [{ ...record, bytes: batchBytes(schema, rows as never) }]
  const good = await over(log).write('good')
  await good.append({ shard: 'good', step: 1, time: S, inputs: [], records })
  const [first] = await drain(await log.read(from(of)))
  const strange = await log.write('strange')
  const spoilt = { ...record, ...damage(first!) }
  await strange.append({ shard: 'strange', step: 1, time: S, inputs: [], records: [spoilt] })
  await good.append({ shard: 'good', step: 2, time: S, inputs: [], records })
  await good.close()
  await strange.close()
}

const from = ({ name }: AnyTopic): readonly ReadFrom[] => [{ topic: name, partition: 0, offset: 0 }]

/** What comes of a topic by one of the two ways to read, and which offsets could not be read. */
const readBy = async (log: Log, of: AnyTopic, way: 'read' | 'scan') => {
  const unreadable: number[] = []
  const found: Placed[] = []
  let kept = 0
  const keeping = {
    found: ({ offset }: Placed): void => void unreadable.push(offset),
    kept: async (): Promise<void> => {
      await pause(1)
      kept = unreadable.length
    },
  }
  const reader = await over(log, keeping).read(from(of))
  const see = (record: Placed): void => {
    // Whoever is shown records has to wait for the end of the read before it acts on them.
    if (way === 'read') expect(kept).toBe(unreadable.length)
    found.push({ ...record, bytes: record.bytes.slice() })
  }
  const some = async (): Promise<number> => {
    const records = await reader.read(1 << 20, 0)
    records.forEach(see)
    return records.length
  }
  if (way === 'read') while ((await some()) > 0);
  else while ((await scanned(reader, 1 << 20, 0, see)) > 0);
  expect(kept).toBe(unreadable.length)
  await reader.close()
  return { unreadable: [...new Set(unreadable)], found }
}

/** Whatever the damage: the records around it are there, and it is told of, or rows can be made of it. */
const tried = async (log: Log, [of, rows, damage]: [AnyTopic, readonly object[], Damage]): Promise<void> => {
  await written(log, of, rows, damage)
  for (const way of ['read', 'scan'] as const) {
    const { unreadable, found } = await readBy(log, of, way)
    expect(found.map(({ offset }) => offset)).toEqual([0, 1, 2])
    expect(rowsIn(of, found[2]!)).toEqual(rowsIn(of, found[0]!))
    expect(rowsIn(of, found[0]!)).toHaveLength(1)
    expect([[], [1]]).toContainEqual(unreadable)
    const stored = joined(
      of.schema,
      found.map((record) => present(of.schema, record)),
    )
    expect(stored.rows).toBe(unreadable.length === 0 ? 2 + found[1]!.rows : 2)
    if (unreadable.length > 0) expect(found[1]!.rows).toBe(0)
    expectSound(of, found[1]!)
    const plain = await over(log).read(from(of))
    if (unreadable.length > 0 && of.format === 'json') expect(await codeOf(drain(plain))).toBe('KT3001')
    await plain.close()
  }
}

/** It has as many rows as it says, and texts and lists that lie one behind the other. */
const expectSound = (of: AnyTopic, record: Placed): void => {
  const { rows, columns } = readBatch(logged(of.schema), record.bytes)
  expect(rows).toBe(record.rows)
  for (const { column, offsets, values, floats } of columns) {
    if (offsets.length === 0) continue
    const ends = [...offsets]
    expect(ends).toEqual(ends.toSorted((a, b) => a - b))
    expect([ends[0], ends.at(-1)]).toEqual([0, column.kind === 'floats' ? floats.length : values.length])
  }
}

const rowsIn = (of: AnyTopic, record: Placed) =>
  rowsOf(readBatch(logged(of.schema), present(of.schema, record).bytes))

describe('a record that cannot be read', () => {
  test('is told of and passed over, and costs none of the records around it', async () => {
    await fc.assert(
      fc.asyncProperty(cases, (one) => tried(new MemoryLog(new VirtualClock(0)), one)),
      { numRuns: 300 },
    )
  })

  test('is so on a disk', async () => {
    await fc.assert(
      fc.asyncProperty(cases, (one) =>
        inFolder(async (folder) => {
          const log = await segmentLog(folder)
          await tried(log, one).finally(() => log.close())
        }),
      ),
      { numRuns: 20 },
    )
  })

  test.each(TOPICS.filter(({ format }) => format === 'arrow'))(
    'is told of when it is cut off: $name',
    async (of) => {
      const rows = fc.sample(eventOf(of.schema), 1)
      const log = new MemoryLog(new VirtualClock(0))
      await written(
        log,
        of,
        rows,
        bytesOf((bytes) => bytes.subarray(0, -8)),
      )
      expect((await readBy(log, of, 'read')).unreadable).toEqual([1])
    },
  )

  test('is what stands for damaged ones, also where nobody wants to hear of it', async () => {
    const [of] = TOPICS
    const log = new MemoryLog(new VirtualClock(0))
    const damage: Damage = () => ({ bytes: new Uint8Array(9), rows: 0, schema: DAMAGED })
    await written(log, of!, fc.sample(eventOf(of!.schema), 1), damage)
    expect((await readBy(log, of!, 'scan')).unreadable).toEqual([1])
    const plain = await over(log).read(from(of!))
    expect(await codeOf(drain(plain))).toBe('KT3001')
  })

  test('is none of a newer version: whoever reads it refuses it, and it stays in the log', async () => {
    const [of] = TOPICS
    const log = new MemoryLog(new VirtualClock(0))
    const newer: Damage = ({ bytes, rows }) => ({ bytes, rows, schema: `${of!.schema.name}/99` })
    await written(log, of!, fc.sample(eventOf(of!.schema), 1), newer)
    const { unreadable, found } = await readBy(log, of!, 'read')
    expect(unreadable).toEqual([])
    expect(() => present(of!.schema, found[1]!)).toThrow('is "')
  })
})
