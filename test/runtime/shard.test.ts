import { describe, expect, test } from 'vitest'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { logged } from '../../graph/schema.ts'
import type { Frame } from '../../graph/source.ts'
import { MemoryLog, MemoryStore } from '../../runtime/memory-log.ts'
import { Shard } from '../../runtime/shard.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { memoryObjects, quietReport, smallPlan, tapFrame } from './world.ts'
import { randomOf } from '../random.ts'

const START = 1_700_000_000_000_000

interface World {
  readonly store: MemoryStore
  readonly objects: ReturnType<typeof memoryObjects>
  readonly clock: VirtualClock
}

const newWorld = (): World => ({
  store: new MemoryStore(),
  objects: memoryObjects(),
  clock: new VirtualClock(START),
})

const newShard = (
  { store, objects, clock }: World,
  log: MemoryLog,
  settings: { lingerMs?: number; rowsMax?: number; rebuild?: boolean } = {},
): Shard => {
  void store
  return new Shard({
    plan: smallPlan.stages[0]!,
    shard: 'small/0/0',
    clock,
    log,
    objects,
    deadLetters: { add: () => {} },
    report: quietReport(),
    rowsMax: settings.rowsMax ?? 50,
    lingerMs: settings.lingerMs,
    tickMs: 250,
    checkpointEveryMs: 1000,
    pendingMaxBytes: 1 << 30,
    rebuild: settings.rebuild ?? false,
  })
}

const upRow = (instrument: string, time: number) => ({
  kind: 'up',
  source: 'venue',
  channel: 'tap',
  instrument,
  connection: 0,
  epoch: 0,
  why: '',
  time,
  received: time,
})

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

interface Tap {
  readonly instrument: string
  readonly value: number
  readonly received: number
}

/** The same taps for the same seed, over about ten seconds. */
const tapsOf = (seed: number): readonly Tap[] => {
  const draw = randomOf(seed)
  let received = START
  return Array.from({ length: 400 }, () => {
    received += draw(50_000)
    return { instrument: ['a1', 'a2', 'b1', 'c1', 'c2'][draw(5)]!, value: draw(100), received }
  })
}

/**
 * Read the taps to the end, with crashes: what was not durable is lost with the process, and the taps are
 * read again.
 */
const runTo = async (
  world: World,
  taps: readonly Tap[],
  crashes: readonly number[],
  settings: { lingerMs?: number; rowsMax?: number; rebuild?: boolean; holes?: number } = {},
): Promise<void> => {
  const breaks = [...crashes]
  for (;;) {
    const clock = new VirtualClock(START)
    const log = new MemoryLog(clock, { store: world.store, commitMs: 3, holes: settings.holes ?? 0 })
    const shard = newShard({ ...world, clock }, log, settings)
    const { inputs } = await shard.recover()
    shard.skip(inputs)
    shard.start()
    const until = breaks.shift()
    let crashed = false
    for (const [at, tap] of taps.entries()) {
      clock.advance(tap.received)
      if (at % 7 === 0) await settle()
      if (at === until) {
        crashed = true
        break
      }
      // A row of kt's own comes before the frame in the same step: only its order says so.
      if (tap.value % 10 === 0) shard.system('control', upRow(tap.instrument, tap.received))
      shard.frame(tapFrame(at, tap.instrument, tap.value, tap.received))
    }
    if (crashed) {
      log.crash()
      continue
    }
    const stopping = shard.stop()
    for (let i = 0; i < 50; i++) {
      clock.advance(clock.now() + 1000)
      await settle()
    }
    await stopping
    await log.close()
    return
  }
}

/** All rows of each topic, in order, without where they stand. */
const rowsOfLog = async ({ store }: World): Promise<Record<string, unknown[]>> => {
  const schemas = new Map(smallPlan.topics.map((topic) => [topic.name, logged(topic.schema)]))
  const rows: Record<string, unknown[]> = {}
  for (const record of store.steps.flat()) {
    for (const row of rowsOf(readBatch(schemas.get(record.topic)!, record.bytes))) {
      const { _order, ...event } = row
      void _order
      ;(rows[`${record.topic}/${record.partition}`] ??= []).push(event)
    }
  }
  return rows
}

describe('a shard', () => {
  test('logs rows in the order in which they came, with ticks on the grid', async () => {
    const world = newWorld()
    await runTo(world, tapsOf(1), [])
    const rows = await rowsOfLog(world)
    expect(rows['kt.input.tap/0']).toHaveLength(400)
    const controls = rows['kt.control/0'] as { kind: string; time: number }[]
    const ticks = controls.filter((row) => row.kind === 'tick').map((tick) => tick.time)
    expect(ticks.every((time) => time % 250_000 === 0)).toBe(true)
    expect(new Set(ticks).size).toBe(ticks.length)
  })

  test('gives a tick to the keys in the order of their names', async () => {
    const world = newWorld()
    await runTo(
      world,
      [...tapsOf(2)].reverse().map((tap, at) => ({ ...tap, received: START + at * 1000 + 7 })),
      [],
    )
    const groups = ((await rowsOfLog(world))['total/0'] as { group: string; received: number }[])
      .filter((row) => row.received === START + 250_000)
      .map((row) => row.group)
    expect(groups.slice(-3)).toEqual(['a', 'b', 'c'])
  })

  test.each(Array.from({ length: 25 }, (_, seed) => seed + 1))(
    'writes the same rows with and without crashes (seed %i)',
    async (seed) => {
      const taps = tapsOf(seed)
      const draw = randomOf(seed + 1000)
      const calm = newWorld()
      await runTo(calm, taps, [])
      const cruel = newWorld()
      await runTo(
        cruel,
        taps,
        Array.from({ length: 1 + draw(5) }, () => draw(400)),
      )
      expect(await rowsOfLog(cruel)).toEqual(await rowsOfLog(calm))
    },
  )

  test('writes the same rows with other batch bounds', async () => {
    const [one, other] = [newWorld(), newWorld()]
    await runTo(one, tapsOf(3), [])
    await runTo(other, tapsOf(3), [], { lingerMs: 40, rowsMax: 3 })
    expect(await rowsOfLog(other)).toEqual(await rowsOfLog(one))
    expect(other.store.steps.length).not.toBe(one.store.steps.length)
  })

  test('is rebuilt from the log alone', async () => {
    const world = newWorld()
    const taps = tapsOf(4)
    const calm = newWorld()
    await runTo(calm, taps, [])
    await runTo(world, taps.slice(0, 200), [])
    for (const path of world.objects.files.keys()) world.objects.files.set(path, new Uint8Array([1, 2, 3]))
    await expect(runTo(world, taps, [])).rejects.toMatchObject({ code: 'KT4002' })
    await runTo(world, taps, [], { rebuild: true })
    const rows = await rowsOfLog(world)
    expect(rows['sum/0']).toEqual((await rowsOfLog(calm))['sum/0'])
    expect(rows['total/0']).toEqual((await rowsOfLog(calm))['total/0'])
  })

  test('passes over a torn checkpoint and takes the one before it', async () => {
    const world = newWorld()
    const taps = tapsOf(5)
    await runTo(world, taps.slice(0, 300), [])
    const newest = [...world.objects.files.keys()].toSorted().at(-1)!
    world.objects.files.set(newest, world.objects.files.get(newest)!.slice(0, -5))
    await runTo(world, taps, [])
    const calm = newWorld()
    await runTo(calm, taps, [])
    expect((await rowsOfLog(world))['total/0']).toEqual((await rowsOfLog(calm))['total/0'])
  })

  test('that breaks within a frame writes nothing more: neither half of it, nor what comes then', async () => {
    const world = newWorld()
    const { clock } = world
    const shard = newShard(world, new MemoryLog(clock, { store: world.store }))
    await shard.recover()
    shard.start()
    shard.frame(tapFrame(1, 'a1', 1, START))
    clock.advance(START + 100_000)
    const read: Frame<never>['read'] = (emit) => {
      for (const value of [2, Number.MAX_VALUE])
        emit('tap', { instrument: 'a1', value, time: START, received: START })
    }
    shard.frame({ ...tapFrame(2, 'a1', 0, START), read })
    shard.frame(tapFrame(3, 'a1', 3, START))
    clock.advance(START + 1_000_000)
    await shard.stop().catch(() => {})
    await expect(shard.failure).rejects.toMatchObject({ code: 'KT9000' })
    const rows = (await rowsOfLog(world))['kt.input.tap/0'] as readonly Tap[]
    expect(rows.map(({ value }) => value)).toEqual([1])
  })

  test('reads on from its checkpoint where offsets have holes and retention is right behind it', async () => {
    const [holes, taps] = [3, tapsOf(7)]
    const [world, calm] = [newWorld(), newWorld()]
    await runTo(calm, taps, [])
    await runTo(world, taps.slice(0, 300), [250], { holes })
    const log = new MemoryLog(world.clock, { store: world.store })
    const all = await rowsOfLog(world)
    const { bytes } = await log.retain({ bytes: 0, ageMs: 0, pastReaders: true })
    expect(bytes).toBeGreaterThan(0)
    const kept = (await rowsOfLog(world))['total/0']!.length
    const dropped = all['total/0']!.length - kept
    expect(dropped).toBeGreaterThan(0)
    await runTo(world, taps, [], { holes })
    expect((await rowsOfLog(world))['total/0']).toEqual((await rowsOfLog(calm))['total/0']!.slice(dropped))
  })

  test('refuses a checkpoint whose log is gone', async () => {
    const world = newWorld()
    await runTo(world, tapsOf(6), [])
    await expect(runTo({ ...world, store: new MemoryStore() }, tapsOf(6), [])).rejects.toMatchObject({
      code: 'KT4003',
    })
  })
})
