import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Step } from '../../graph/port.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { binanceFrames } from '../frames.ts'
import { measuredOf, ownCpuNs, resultOf } from '../measure.ts'
import { openLent, openLmdb } from '../peer/lmdb.ts'
import type { Result } from './result.ts'

type See = (record: Uint8Array) => void

/** A log under test: groups of records, each group durable as one, and then all records in their order. */
interface Store {
  /** Append a group; settles when it is durable. */
  readonly append: (group: readonly Uint8Array[]) => Promise<unknown>
  readonly drain: () => Promise<unknown>
  /** Calls with every record, in order. Who is called may keep it. */
  readonly read: (see: See) => Promise<void>
  /** The same for records that nobody keeps: the store may show them where they lie. */
  readonly scan: (see: See) => Promise<void>
  readonly close: () => Promise<void>
}

const kt = async (folder: string): Promise<Store> => {
  const log = await segmentLog(folder, { keep: { bytes: 2 ** 40, ageMs: 1e9 } })
  const writer = await log.write('shard-0')
  let [step, records] = [0, 0]
  let last: Promise<unknown> = Promise.resolve()
  const append = (group: readonly Uint8Array[]): Promise<unknown> => {
    const one: Step = {
      shard: 'shard-0',
      step: step++,
      time: step,
      inputs: [],
      records: group.map((bytes) => ({ topic: 'tape', partition: 0, schema: 'tape/1', rows: 1, bytes })),
    }
    records += group.length
    last = writer.append(one)
    return last
  }
  const read: Store['read'] = async (see) => {
    const reader = await log.read([{ topic: 'tape', partition: 0, offset: 0 }])
    for (let seen = 0; seen < records;) {
      for (const { bytes } of await reader.read(4 << 20, 1_000)) {
        see(bytes)
        seen += 1
      }
    }
    await reader.close()
  }
  const scan: Store['scan'] = async (see) => {
    const reader = await log.read([{ topic: 'tape', partition: 0, offset: 0 }])
    const one = ({ bytes }: { readonly bytes: Uint8Array }): void => see(bytes)
    for (let seen = 0; seen < records;) seen += await reader.scan!(4 << 20, 1_000, one)
    await reader.close()
  }
  const close = async (): Promise<void> => {
    await writer.close()
    await log.close()
  }
  return { append, drain: () => last, read, scan, close }
}

const lmdb = async (folder: string): Promise<Store> => {
  const store = await openLmdb(join(folder, 'store'))
  let count = 0
  const append = async (group: readonly Uint8Array[]): Promise<void> => {
    let last: Promise<unknown> = Promise.resolve()
    for (const record of group) last = store.put(count++, record)
    await last
    await store.flushed
  }
  const read: Store['read'] = async (see) => {
    for (const { value } of store.getRange({ start: 0 })) see(value)
  }
  const scan: Store['scan'] = async (see) => {
    const lent = await openLent(join(folder, 'store'), see)
    for (const _ of lent.getRange({ start: 0 })) void _
    await lent.close()
  }
  return { append, drain: async () => store.flushed, read, scan, close: () => store.close() }
}

/** Write-ahead log, and a commit is on the disk when COMMIT returns. */
const sqlite = async (folder: string): Promise<Store> => {
  const database = new DatabaseSync(join(folder, 'store'))
  database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL')
  database.exec('CREATE TABLE log (id INTEGER PRIMARY KEY, record BLOB)')
  const insert = database.prepare('INSERT INTO log VALUES (?, ?)')
  let count = 0
  const append = async (group: readonly Uint8Array[]): Promise<void> => {
    database.exec('BEGIN')
    for (const record of group) insert.run(count++, record)
    database.exec('COMMIT')
  }
  const read: Store['read'] = async (see) => {
    const all = database.prepare('SELECT record FROM log ORDER BY id').iterate()
    for (const { record } of all as Iterable<unknown> as Iterable<{ record: Uint8Array }>) see(record)
  }
  return { append, drain: async () => {}, read, scan: read, close: async () => database.close() }
}

const stores = { kt, lmdb, 'node:sqlite FULL': sqlite } as const
type Name = keyof typeof stores

interface Round {
  readonly appended: number
  readonly appendNs: number
  readonly readNs: number
  readonly scanNs: number
}

/** Groups that may be under way at once: the hot path of kt never waits for its disk. */
const UNDER_WAY = 8

const round = async (
  make: (folder: string) => Promise<Store>,
  groups: readonly (readonly Uint8Array[])[],
) => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-bench-log-'))
  const store = await make(folder)
  const records = groups.reduce((sum, group) => sum + group.length, 0)
  let [cpu, wall] = [ownCpuNs(), performance.now()]
  const under = new Set<Promise<unknown>>()
  for (const group of groups) {
    const one: Promise<unknown> = store.append(group).finally(() => under.delete(one))
    under.add(one)
    if (under.size >= UNDER_WAY) await Promise.race(under)
  }
  await Promise.all(under)
  await store.drain()
  const appended = (records * 1000) / (performance.now() - wall)
  const appendNs = (ownCpuNs() - cpu) / records
  const wanted = groups.flat().reduce((sum, record) => sum + record[0]! + record[record.length - 1]!, 0)
  const timed = async (all: Store['read']): Promise<number> => {
    let [seen, ends] = [0, 0]
    const scratch = new Uint8Array(1 << 16)
    cpu = ownCpuNs()
    await all((record) => {
      seen += 1
      // Who reads a record reads all of it.
      scratch.set(record)
      ends += scratch[0]! + scratch[record.length - 1]!
    })
    if (seen !== records || ends !== wanted) throw new Error(`${seen} of ${records} records came back`)
    return (ownCpuNs() - cpu) / records
  }
  const [readNs, scanNs] = [await timed(store.read), await timed(store.scan)]
  await store.close()
  rmSync(folder, { recursive: true, force: true })
  return { appended, appendNs, readNs, scanNs }
}

/** Real bytes, cut into records of one size. */
const groupsOf = (bytes: number, group: number, groups: number): readonly (readonly Uint8Array[])[] => {
  const source = Buffer.concat(binanceFrames('spot').frames.map((frame) => frame.bytes))
  let at = 0
  return Array.from({ length: groups }, () =>
    Array.from({ length: group }, () => {
      at = at + 2 * bytes > source.length ? 0 : at + bytes
      return source.subarray(at, at + bytes)
    }),
  )
}

/**
 * G9: durable appends and ordered reads, each in the way that its users read, and then both in the same way:
 * records that are kept, and records that are only shown; beside LMDB and SQLite. Records of 200 bytes in
 * groups of 1,000, and of 20 kB, which is what a batch of kt is, in groups of 10. Every store gathers what it
 * is given and syncs it.
 */
export const log = async (quick: boolean): Promise<readonly Result[]> => {
  const results: Result[] = []
  for (const [bytes, group, groups] of [
    [200, 1_000, quick ? 100 : 400],
    [20_000, 10, quick ? 60 : 250],
  ] as const) {
    const input = groupsOf(bytes, group, groups)
    const found: Record<Name, Round[]> = { kt: [], lmdb: [], 'node:sqlite FULL': [] }
    const names = Object.keys(stores) as Name[]
    for (let turn = -1; turn < (quick ? 3 : 7); turn++) {
      for (const name of turn % 2 === 0 ? names : names.toReversed()) {
        const one = await round(stores[name], input)
        if (turn >= 0) found[name].push(one)
      }
    }
    const of = (name: Name, what: keyof Round) =>
      measuredOf(
        name,
        found[name].map((one) => one[what]),
      )
    const what = `records of ${bytes.toLocaleString('en')} B`
    for (const [peer, writes, reads] of [
      ['lmdb', 1.2, 5],
      ['node:sqlite FULL', 1.8, 0],
    ] as const) {
      // Large records are bound by the disk in every store: only small ones are judged.
      const judged = (least: number): number => (bytes === 200 ? least : 0)
      const rate = { goal: 'G9', what: `durable append, ${what}`, unit: 'records/s', least: judged(writes) }
      const cpu = { goal: 'G9', what: `durable append, ${what}, CPU`, unit: 'CPU ns/record', least: 0 }
      const read = { goal: 'G9', what: `ordered read, ${what}`, unit: 'CPU ns/record', least: judged(reads) }
      const kept = { ...read, what: `ordered read, ${what}, all kept`, least: 0 }
      const shown = { ...read, what: `ordered read, ${what}, all shown and not kept`, least: 0 }
      results.push(resultOf(rate, of('kt', 'appended'), of(peer, 'appended')))
      results.push(resultOf(cpu, of('kt', 'appendNs'), of(peer, 'appendNs')))
      results.push(resultOf(read, of('kt', 'scanNs'), of(peer, 'readNs')))
      results.push(resultOf(kept, of('kt', 'readNs'), of(peer, 'readNs')))
      results.push(resultOf(shown, of('kt', 'scanNs'), of(peer, 'scanNs')))
    }
  }
  return results
}
