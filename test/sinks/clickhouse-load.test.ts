import { describe, expect, test } from 'vitest'
import { HostError } from '../../graph/error.ts'
import type { TableStatus } from '../../sinks/clickhouse/load.ts'
import { World } from './clickhouse-world.ts'

const SEEDS = Number(process.env['KT_SEEDS'] ?? 20)
const seeds = Array.from({ length: SEEDS }, (_, seed) => seed)

describe('loading a topic into ClickHouse', () => {
  test('brings every row once, in few inserts, when nothing fails', async () => {
    const world = new World(1)
    world.server.calm = true
    world.begin({ rowsMax: 1000, lingerMs: 1000 })
    await world.write(100)
    await world.settled()
    world.expectExact()
    expect(world.server.inserts).toBeLessThan(50)
    await world.end()
  })

  test.each(seeds)(
    'is exact when connections break, inserts hang and the server dies (seed %i)',
    async (seed) => {
      const world = new World(seed)
      world.begin()
      for (let round = 0; round < 6; round++) {
        await world.write(15)
        if (world.random() < 0.5) world.server.crash()
      }
      world.server.calm = true
      await world.settled()
      world.expectExact()
      await world.end()
    },
  )

  test.each(seeds)(
    'is exact when the sink is killed at any moment and started again (seed %i)',
    async (seed) => {
      const world = new World(seed + 1000)
      for (let round = 0; round < 8; round++) {
        const run = world.begin()
        await world.write(10)
        if (world.random() < 0.3) world.server.crash()
        run.dead = true
      }
      world.server.calm = true
      await world.elapse(10_000)
      await world.expectLoadedTo()
      world.begin()
      await world.settled()
      world.expectExact()
      await world.end()
    },
  )

  test.each(seeds)(
    'is exact when two runs of it live at once, and one falls asleep and wakes (seed %i)',
    async (seed) => {
      const world = new World(seed + 2000)
      const twins = [world.begin({ rowsMax: 40, lingerMs: 300 }), world.begin({ rowsMax: 25, lingerMs: 500 })]
      for (let round = 0; round < 8; round++) {
        await world.write(12)
        const one = twins[Math.floor(2 * world.random())]!
        if (world.random() < 0.6) one.asleepUntil = world.clock.now() + 60e6 * world.random()
      }
      world.server.calm = true
      await world.settled()
      world.expectExact()
      await world.end()
    },
  )

  test.each([0, 1, 2, 3, 5, 8, 13, 21])(
    'is exact when the disk of the claims is full for a while, from their write %i on',
    async (first) => {
      const world = new World(first)
      world.server.calm = first % 2 === 0
      const { putIfAbsent } = world.objects
      let writes = 0
      const full: typeof putIfAbsent = async (path, bytes) => {
        const refused = writes >= first && writes < first + 6
        const before = writes++ % 2 === 0
        const noSpace = new HostError('KT3011', 'no space', { retry: { afterMs: 1000 } })
        if (refused && before) throw noSpace
        const won = await putIfAbsent(path, bytes)
        // It is there, and only the folder could not be synced.
        if (refused) throw noSpace
        return won
      }
      Object.assign(world.objects, { putIfAbsent: full })
      world.begin()
      await world.write(150)
      await world.settled()
      expect(writes).toBeGreaterThan(first + 6)
      world.expectExact()
      await world.end()
    },
  )

  test('goes on behind records that it has loaded, when the log has let go of them', async () => {
    const world = new World(4)
    world.server.calm = true
    const run = world.begin()
    await world.write(20)
    await world.settled()
    const loaded = world.server.rows.length
    run.dead = true
    await world.log.retain({ bytes: 0, ageMs: 0, pastReaders: true })
    await world.write(1)
    expect(Math.min(...(await world.log.ends()).map(({ first }) => first))).toBeGreaterThan(10)
    world.begin()
    await world.settled()
    expect(world.server.rows.length).toBeGreaterThan(loaded)
    const places = world.server.rows.map((row) => `${row['_part']}/${row['_off']}/${row['_row']}`)
    expect(new Set(places).size).toBe(places.length)
    await world.end()
  })

  test('says what it never loaded and the log let go of, until somebody takes what is left', async () => {
    const world = new World(6)
    world.server.calm = true
    world.server.away = true
    const run = world.begin()
    await world.write(20)
    await world.elapse(20_000)
    expect(run.loading.status()[0]!.partitions.map(({ lagRecords }) => lagRecords)).toEqual([20, 20])
    run.dead = true
    await world.log.retain({ bytes: 0, ageMs: 0, pastReaders: true })
    world.server.away = false
    const { loading } = world.begin()
    await world.elapse(20_000)
    const [{ state, error }] = loading.status() as [TableStatus]
    expect([state, error?.code, world.server.rows]).toEqual(['failed', 'KT3002', []])
    const { path } = /state\/(?<path>\S+\.json)/.exec(String(error?.fix))!.groups!
    await world.objects.remove(path!)
    await world.elapse(60_000)
    expect(loading.status()).toMatchObject([{ state: 'idle' }])
    world.expectExact()
    await world.end()
  })

  test('is tried again at once when somebody waits for it', async () => {
    const world = new World(1)
    world.server.calm = true
    const { loading } = world.begin()
    await world.elapse(1000)
    world.server.away = true
    await world.write(3)
    await world.elapse(60_000)
    const [status] = loading.status()
    expect([status!.state, status!.error?.code]).toEqual(['waiting', 'KT6101'])
    world.server.away = false
    loading.again()
    await world.elapse(1500)
    expect(loading.status()[0]!.partitions.map(({ lagRecords }) => lagRecords)).toEqual([0, 0])
    world.expectExact()
    await world.end()
  })

  test('is exact when a run wakes so late that its claim is forgotten', async () => {
    const world = new World(3)
    world.server.calm = true
    const sleeper = world.begin({ rowsMax: 10, lingerMs: 100 })
    await world.write(5)
    await world.settled()
    let asleep = true
    sleeper.beforeClaim = async () => {
      while (asleep) await new Promise<void>((resolve) => void world.clock.after(100, resolve))
    }
    await world.write(5)
    world.begin({ rowsMax: 7, lingerMs: 20 })
    await world.write(80)
    await world.elapse(5000)
    const count = (partition: number) =>
      [...world.objects.objects.keys()].filter((path) => path.includes(`/ticks/${partition}/`)).length
    expect([count(0), count(1)]).toEqual([32, 32])
    asleep = false
    await world.settled()
    world.expectExact()
    await world.end()
  })
})
