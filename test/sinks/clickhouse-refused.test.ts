import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { TableChange } from '../../sinks/clickhouse/load.ts'
import { engine, start } from './chdb-start.ts'
import { caughtUp, expectExact, stopAll, Topic, until } from './clickhouse-topic.ts'

const started = await start({ queryMaxSeconds: 60 })
afterAll(() => started?.end())
afterEach(stopAll)

describe.skipIf(started === undefined)('a ClickHouse that refuses (skipped where it cannot run)', () => {
  if (started === undefined) return
  const direct = started.tables()

  test('a wrong password is said with its remedy, and no word of it', async () => {
    const topic = new Topic('wrong')
    await topic.write(2, 5)
    const loading = topic.run(started.tables({ password: 'not-the-secret' }))
    await until(() => loading.status()[0]!.state === 'failed', 'it was let in')
    const { error } = loading.status()[0]!
    expect(error).toMatchObject({ code: 'KT6108', fix: expect.stringContaining('KT_CLICKHOUSE_PASSWORD') })
    expect(`${error?.message} ${error?.why} ${error?.fix}`).not.toContain('not-the-secret')
    await loading.stop()
    await caughtUp(topic, topic.run(direct))
    await expectExact(direct, topic)
  })

  /** The front has one user. */
  test.runIf(engine === 'listener')('a user who may only read is said to lack a right', async () => {
    const topic = new Topic('read_only')
    await topic.write(2, 5)
    const loading = topic.run(started.tables({ user: 'reader' }))
    await until(() => loading.status()[0]!.state === 'failed', 'it was let in')
    expect(loading.status()[0]!.error).toMatchObject({
      code: 'KT6108',
      why: expect.stringContaining('Not enough privileges'),
    })
  })

  test('while a table has too many parts its rows wait, and come once when it has fewer', async () => {
    const topic = new Topic('parts')
    const first = topic.run(direct)
    await topic.write(1, 5)
    await caughtUp(topic, first)
    await first.stop()
    await direct.exec('SYSTEM STOP MERGES parts')
    await direct.exec(
      'ALTER TABLE parts MODIFY SETTING parts_to_throw_insert = 3, parts_to_delay_insert = 1000000',
    )
    const changes: TableChange[] = []
    const loading = topic.run(direct, { lingerMs: 1, rowsMax: 10 }, (change) => changes.push(change))
    await topic.write(12, 10)
    await until(() => changes.some(({ state }) => state === 'waiting'), 'it was not refused')
    const { error } = changes.find(({ state }) => state === 'waiting')!
    expect([error?.code, error?.why]).toEqual(['KT6102', expect.stringContaining('Too many parts')])
    await direct.exec('SYSTEM START MERGES parts')
    await direct.exec('ALTER TABLE parts RESET SETTING parts_to_throw_insert, parts_to_delay_insert')
    await caughtUp(topic, loading)
    await expectExact(direct, topic)
    expect(changes.map(({ state }) => state)).not.toContain('failed')
  })

  test('an insert that finds no memory is tried again', async () => {
    const topic = new Topic('memory')
    await topic.write(4, 50)
    let tight = true
    const insert: typeof direct.insert = async (...asked) => {
      if (tight)
        await direct.exec(
          'SELECT groupArray(number) FROM numbers(10000000) SETTINGS max_memory_usage = 20000000 FORMAT Null',
        )
      return direct.insert(...asked)
    }
    const loading = topic.run({ exec: direct.exec, query: direct.query, insert })
    await until(() => loading.status()[0]!.error !== undefined, 'there was memory')
    expect(loading.status()[0]!.error).toMatchObject({
      code: 'KT6102',
      why: expect.stringContaining('memory'),
    })
    tight = false
    await caughtUp(topic, loading)
    await expectExact(direct, topic)
  })

  test('a question that takes longer than its bound is ended', async () => {
    const query = 'SELECT count() FROM numbers(1e13) SETTINGS max_execution_time = 1'
    await expect(direct.query(query, {})).rejects.toMatchObject({ code: 'KT6102', facts: { code: 159 } })
  })
})
