import { describe, expect, test } from 'vitest'
import { graph } from '../../graph/graph.ts'
import { operator, plain } from '../../graph/operator.ts'
import { plan } from '../../graph/plan.ts'
import type { Plan } from '../../graph/plan.ts'
import type { Log, ObjectStore, Step } from '../../graph/port.ts'
import { topic } from '../../graph/topic.ts'
import { Follower } from '../../runtime/follower.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { shardOf } from '../../runtime/producer.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { diamond, source, system, tapTopic, work } from './stages-graph.ts'
import { START, newHome, rowsIn, runStages, tapsOf } from './stages-world.ts'
import type { Home, Rows, Running } from './stages-world.ts'
import { byGroup, byOne, quietReport, read, sum, sums, tap, total, totals, venue } from './world.ts'
import type { Tap } from './world.ts'

const rows = async (of: Plan, home: Home, how: Running = {}, many = 40): Promise<Rows> => {
  await runStages(of, home, tapsOf(1, many), how)
  return rowsIn(of, home)
}

/** The process dies at the n-th step of a shard: before it is handed over, before it is durable, or after. */
const dyingAt = (shard: string, at: number, when: string) => {
  const state = { steps: 0 }
  const between = (log: MemoryLog, die: () => void): Log => ({
    read: (from) => log.read(from),
    ends: () => log.ends(),
    close: () => log.close(),
    write: async (name) => {
      const writer = await log.write(name)
      const append = (step: Step): Promise<readonly number[]> => {
        if (name !== shard || ++state.steps !== at) return writer.append(step)
        if (when === 'before') die()
        const appended = writer.append(step)
        appended.catch(() => {})
        if (when === 'durable') void appended.then(die, () => {})
        else die()
        return when === 'durable' ? appended : new Promise(() => {})
      }
      return { ...writer, append }
    },
  })
  return { state, between }
}

const FIRST = ['tap/0', 'tap/1', 'tap/2', 'sum/0', 'sum/1', 'total/0', 'mix/0'] as const

describe('a stage that reads topics', () => {
  test.each(
    [work.two, work.three, diamond].flatMap((of) =>
      ['before', 'handed over', 'durable'].flatMap((when) =>
        of.stages.map((stage) => [of.name, of.stages.length, shardOf(stage), when, of] as const),
      ),
    ),
  )(
    'loses and doubles nothing at any step: graph %s of %i stages, %s, dies %s',
    async (...[, , shard, when, of]) => {
      const calm = await rows(of, newHome())
      for (let at = 1; ; at += 3) {
        const { state, between } = dyingAt(shard, at, when)
        const home = newHome()
        const found = await rows(of, home, { between, checkpointEveryMs: 100 })
        expect(found, `step ${at}`).toEqual(calm)
        if (state.steps < at) return
      }
    },
  )

  test.each(['before', 'torn', 'after'])(
    'loses and doubles nothing when it dies %s a checkpoint',
    async (when) => {
      const calm = await rows(work.three, newHome())
      for (let at = 1; at < 30; at++) {
        const state = { puts: 0 }
        const saving = (objects: ObjectStore, die: () => void): ObjectStore => ({
          ...objects,
          put: async (path, bytes) => {
            if (!path.includes('sums') || ++state.puts !== at) return objects.put(path, bytes)
            if (when !== 'before') await objects.put(path, when === 'torn' ? bytes.slice(0, -9) : bytes)
            die()
            throw new Error('nobody hears this')
          },
        })
        // The very first checkpoint only says where to begin: one that is torn there was somebody's disk.
        if (when === 'torn' && at === 1) continue
        expect(await rows(work.three, newHome(), { saving, checkpointEveryMs: 60 }), `${at}`).toEqual(calm)
        if (state.puts < at) break
      }
    },
  )

  test('says with each step how far it has read, and nothing is between the two', async () => {
    const home = newHome()
    const steps: Step[] = []
    const between = (log: MemoryLog): Log => ({
      read: (from) => log.read(from),
      ends: () => log.ends(),
      close: () => log.close(),
      write: async (name) => {
        const writer = await log.write(name)
        const append = (step: Step): Promise<readonly number[]> => {
          if (name === 'work/sums/0') steps.push(step)
          return writer.append(step)
        }
        return { ...writer, append }
      },
    })
    await rows(work.three, home, { between })
    const of = (name: string) => home.store.steps.flat().filter((record) => record.topic === name)
    for (const { step, inputs, records } of steps) {
      for (const { topic: name, partition, next } of inputs) {
        if (!name.startsWith('tap')) continue
        const read = of(name).filter((record) => record.partition === partition && record.step <= step)
        expect(next, `${name}/${partition} at ${step}`).toBe(read.length)
      }
      const taps = of('tap').filter((record) => record.step === step)
      const sumRows = records.filter((one) => one.topic === 'sum').reduce((all, one) => all + one.rows, 0)
      expect(sumRows).toBe(taps.reduce((all, one) => all + one.rows, 0))
    }
    expect(steps.length).toBeGreaterThan(30)
  })

  test('begins with the first rows when it is added later, and makes what it would have made', async () => {
    const home = newHome()
    const calm = await rows(work.three, newHome())
    const only = plan(
      graph('work', (g) => {
        g.source(venue, source).tap.via(read).through(tapTopic)
      }),
      system,
    )
    await rows(only, home)
    const found = await rows(work.three, home)
    for (const name of FIRST) expect(found[name], name).toEqual(calm[name])
  })

  test('says so in the log when rows before its first ones are gone', async () => {
    const home = newHome()
    const only = plan(
      graph('work', (g) => {
        g.source(venue, source).tap.via(read).through(tapTopic)
      }),
      system,
    )
    await rows(only, home)
    const log = new MemoryLog(new VirtualClock(START), { store: home.store })
    await log.retain({ bytes: 2500, ageMs: 1e9 })
    const firsts = (await log.ends()).filter((end) => end.topic === 'tap' && end.first > 0)
    expect(firsts.length).toBeGreaterThan(0)
    const begun: string[] = []
    const begins = (shard: string, cut: number): void => void (cut > 0 && begun.push(shard))
    const { between } = dyingAt('work/sums/0', 1, 'durable')
    const found = await rows(work.two, home, { begins, between, deaths: [0] }, 80)
    expect(new Set(begun)).toEqual(new Set(['work/sums/0']))
    const said = (found['kt.control/1'] ?? []).filter((row) => row['kind'] === 'start')
    expect(said.length).toBe(1)
    expect(said[0]!['why']).toMatch(/earlier rows are gone: tap\/\d begins at \d+/)
    const kept = home.store.steps.flat().filter((record) => record.topic === 'tap')
    const sumRows = ['sum/0', 'sum/1'].reduce((all, name) => all + (found[name]?.length ?? 0), 0)
    expect(sumRows).toBe(kept.reduce((all, record) => all + record.rows, 0))
  })

  test('goes on where another stage ended that made the same before', async () => {
    const home = newHome()
    const before = plan(
      graph('work', (g) => {
        const tapped = g.source(venue, source).tap.via(read)
        const added = tapped.via(sums)
        tapped.through(tapTopic)
        added.through(topic('sum', { schema: sum, key: byGroup, partitions: 2 }))
        added.via(totals).through(topic('total', { schema: total, key: byGroup }))
      }),
      system,
    )
    await runStages(before, home, tapsOf(1, 120).slice(0, 60))
    const found = await rows(work.two, home, { deaths: [70] }, 120)
    const calm = await rows(work.two, newHome(), {}, 120)
    for (const name of FIRST) expect(found[name], name).toEqual(calm[name])
  })

  test('is rebuilt from the log alone, and refuses a log that has lost what it is made of', async () => {
    const home = newHome()
    const calm = await rows(work.three, newHome(), {}, 120)
    await runStages(work.three, home, tapsOf(1, 120).slice(0, 60))
    const found = await rows(work.three, home, { rebuild: true }, 120)
    for (const name of FIRST) expect(found[name], name).toEqual(calm[name])
    const log = new MemoryLog(new VirtualClock(START), { store: home.store })
    await log.retain({ bytes: 2500, ageMs: 1e9 })
    await expect(rows(work.three, home, { rebuild: true })).rejects.toMatchObject({ code: 'KT3002' })
  })

  test('refuses a checkpoint whose log is gone, or is another one', async () => {
    const home = newHome()
    await rows(work.two, home)
    for (const path of home.objects.files.keys())
      if (path.includes('work-0-0')) home.objects.files.delete(path)
    await expect(rows(work.two, { ...newHome(), objects: home.objects })).rejects.toMatchObject({
      code: 'KT4003',
    })
  })

  test('gives way to a newer one of its kind, and no row comes twice', async () => {
    const home = newHome()
    const stage = work.two.stages[1]!
    const clock = new VirtualClock(START)
    await runStages(
      plan(
        graph('work', (g) => {
          g.source(venue, source).tap.via(read).through(tapTopic)
        }),
        system,
      ),
      home,
      tapsOf(1, 40),
    )
    const log = new MemoryLog(clock, { store: home.store, commitMs: 3 })
    const make = (): Follower =>
      new Follower({
        graph: work.two,
        plan: stage,
        shard: shardOf(stage),
        clock,
        log,
        objects: home.objects,
        report: quietReport(),
        rowsMax: 50,
        checkpointEveryMs: 1000,
        rebuild: false,
      })
    const [old, fresh] = [make(), make()]
    await old.recover()
    await fresh.recover()
    await Promise.all([old.pump(0).catch(() => {}), fresh.pump(0)])
    await expect(old.failure).rejects.toMatchObject({ code: 'KT3004' })
    const stopping = fresh.stop()
    for (let i = 0; i < 20; i++) {
      clock.advance(clock.now() + 1000)
      for (let j = 0; j < 20; j++) await Promise.resolve()
    }
    await stopping
    const calm = await rows(work.two, newHome())
    const found = rowsIn(work.two, home)
    for (const name of ['sum/0', 'sum/1', 'total/0']) expect(found[name], name).toEqual(calm[name])
  })

  test('that breaks within a step writes nothing more when it is stopped', async () => {
    const home = newHome()
    const sources = (g: Parameters<Parameters<typeof graph>[1]>[0]) =>
      g.source(venue, source).tap.via(read).through(tapTopic)
    const fragile = operator({
      name: 'fragile',
      inputs: { tap },
      outputs: [sum],
      key: byOne,
      state: plain(1, () => ({})),
      on: {
        tap: (_, { instrument, value, received }: Tap, emit) => {
          emit.sum({ instrument, sum: value, received })
          if (value === 13) throw new Error('the author made a mistake')
        },
      },
    })
    const of = plan(
      graph('work', (g) => void sources(g).via(fragile).through(topic('sum', { schema: sum, key: byGroup }))),
      system,
    )
    const taps = [1, 13, 3].map((value, at) => ({ instrument: 'a1', value, received: START + at * 300_000 }))
    await runStages(
      plan(
        graph('work', (g) => void sources(g)),
        system,
      ),
      home,
      taps,
    )
    const follower = new Follower({
      graph: of,
      plan: of.stages[1]!,
      shard: shardOf(of.stages[1]!),
      clock: new VirtualClock(START),
      log: new MemoryLog(new VirtualClock(START), { store: home.store }),
      objects: home.objects,
      report: quietReport(),
      rowsMax: 50,
      checkpointEveryMs: 1000,
      rebuild: false,
    })
    await follower.recover()
    await expect(follower.pump(0)).rejects.toThrow('the author made a mistake')
    await follower.stop()
    expect(rowsIn(of, home)['sum/0']?.map((row) => row['sum'])).toEqual([1])
  })
})
