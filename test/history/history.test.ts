import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadGraph, planOf } from '../../cli/graph-file.ts'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import { present } from '../../graph/present.ts'
import { logged } from '../../graph/schema.ts'
import { marketSchemas } from '../../market/schemas.ts'
import { loadCheckpoint } from '../../runtime/checkpoint.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { Follower } from '../../runtime/follower.ts'
import { shardOf } from '../../runtime/producer.ts'
import { Shard } from '../../runtime/shard.ts'
import { VirtualClock } from '../../runtime/virtual-clock.ts'
import { quietReport } from '../runtime/world.ts'
import { toldOf } from './rows.ts'
import type { Told } from './rows.ts'

/** One record of each event, as a release wrote it. */
interface Kept {
  readonly schema: string
  readonly bytes: string
  readonly events: readonly Readonly<Record<string, unknown>>[]
}

const json = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T
const releases = readdirSync(import.meta.dirname, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
)
const work = mkdtempSync(join(tmpdir(), 'kt-history-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

describe.each(releases)('what kt %s wrote', (release) => {
  const from = join(import.meta.dirname, release)

  test.each(json<readonly Kept[]>(join(from, 'records.json')).map((kept) => [kept.schema, kept] as const))(
    'of %s is read as it was, and lacks what came later',
    (id, { bytes, events }) => {
      const schema = marketSchemas.find(({ name }) => name === id.split('/')[0])!
      const record = { topic: 'any', partition: 0, schema: id, rows: events.length, bytes: Buffer.from(bytes, 'base64') }
      const rows = rowsOf(readBatch(logged(schema), present(schema, record).bytes))
      const later = Object.fromEntries(schema.columns.map(({ name }) => [name, null]))
      expect(rows).toEqual(events.map((event) => ({ ...later, ...event })))
    },
  )

  test.each(['graph/basis.ts', 'graph/candles.ts'])('in a run of %s is gone on from', async (file) => {
    const plan = planOf(await loadGraph(file))
    const folder = join(work, release, plan.name)
    cpSync(join(from, plan.name), folder, { recursive: true })
    const log = await segmentLog(join(folder, 'log'))
    const objects = fileStore(join(folder, 'state'))
    const told = json<Readonly<Record<string, Told>>>(join(from, plan.name, 'topics.json'))
    for (const [name, then] of Object.entries(told)) {
      const topic = plan.topics.find((one) => one.name === name)!
      expect(await toldOf(log, topic, then.columns), name).toEqual(then)
    }
    let states = 0
    const clock = new VirtualClock(0)
    const both = { clock, log, objects, report: quietReport(), rowsMax: 8192, checkpointEveryMs: 1e9, rebuild: false }
    for (const [at, stage] of plan.stages.entries()) {
      const shard = shardOf(stage)
      const { checkpoint, broken } = await loadCheckpoint(objects, shard)
      expect(broken).toEqual([])
      states += checkpoint!.entries.length
      if (at > 0) {
        const follower = new Follower({ ...both, graph: plan, plan: stage, shard })
        await follower.recover()
        await follower.stop()
        continue
      }
      const whole = { deadLetters: { add: () => {} }, lingerMs: undefined, tickMs: 250, pendingMaxBytes: 1e9 }
      const first = new Shard({ ...both, ...whole, plan: stage, shard })
      expect((await first.recover()).first).toBe(false)
      await first.stop()
    }
    expect(states).toBeGreaterThan(2)
    await log.close()
  })
})
