import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { Columns } from '../../graph/columns.ts'
import { HostError } from '../../graph/error.ts'
import type { Clock, Log, LogReader, ObjectArchive, ObjectStore, Placed, ReadFrom } from '../../graph/port.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import type { AnySchema } from '../../graph/schema.ts'
import { trade } from '../../market/event.ts'
import type { Trade } from '../../market/event.ts'

/** Time that passes when somebody waits for it. */
export const virtualClock = (start = 0): Clock & { advance: (ms: number) => void } => {
  let now = start
  return {
    now: () => now,
    advance: (ms) => void (now += ms * 1000),
    after: (ms, call) => {
      const timer = setImmediate(() => {
        now += ms * 1000
        call()
      })
      return () => clearImmediate(timer)
    },
  }
}

/** Records of one partition, offsets counted from 0. */
export const recordsOf = (
  schema: AnySchema,
  topic: string,
  partition: number,
  batches: readonly (readonly object[])[],
): readonly Placed[] =>
  batches.map((rows, offset) => {
    const columns = new Columns(logged(schema))
    rows.forEach((row, order) => columns.add(row, order))
    const time = Math.max(0, ...rows.map((row) => (row as { received?: number }).received ?? 0))
    return {
      topic,
      partition,
      offset,
      schema: schemaId(schema),
      ...columns.take(),
      shard: 'a',
      epoch: 1,
      step: offset + 1,
      time,
    }
  })

/** A log in memory. How many records a read hands over comes from `below`. */
export const memoryLog = (
  records: readonly Placed[],
  below: (n: number) => number = () => 7,
  clock?: { advance: (ms: number) => void },
): Log => ({
  write: () => Promise.reject(new Error('not here')),
  read: (from: readonly ReadFrom[]): Promise<LogReader> => {
    const next = new Map(from.map((where) => [`${where.topic}/${where.partition}`, where.offset]))
    return Promise.resolve({
      read: async (_bytesMax, waitMs) => {
        await new Promise((resume) => setImmediate(resume))
        const most = 1 + below(8)
        const found: Placed[] = []
        for (const record of records) {
          const key = `${record.topic}/${record.partition}`
          if (found.length < most && record.offset >= (next.get(key) ?? Infinity)) {
            found.push(record)
            next.set(key, record.offset + 1)
          }
        }
        clock?.advance(found.length === 0 ? Math.max(1, waitMs) : 1)
        return found
      },
      close: () => Promise.resolve(),
    })
  },
  ends: () => {
    const ends = new Map<
      string,
      { topic: string; partition: number; first: number; next: number; rows: number; bytes: number }
    >()
    for (const { topic, partition, offset, rows, bytes } of records) {
      const end = ends.get(`${topic}/${partition}`) ?? {
        topic,
        partition,
        first: 0,
        next: 0,
        rows: 0,
        bytes: 0,
      }
      ends.set(`${topic}/${partition}`, {
        ...end,
        next: offset + 1,
        rows: end.rows + rows,
        bytes: end.bytes + bytes.length,
      })
    }
    return Promise.resolve([...ends.values()])
  },
  close: () => Promise.resolve(),
})

export interface MemoryObjects extends ObjectArchive {
  readonly objects: Map<string, Uint8Array>
}

/** `now`: microseconds, for the ages of objects. */
export const memoryObjects = (now: () => number = () => 0): MemoryObjects => {
  const objects = new Map<string, Uint8Array>()
  const ages = new Map<string, number>()
  const set = (path: string, bytes: Uint8Array): void => {
    objects.set(path, bytes.slice())
    ages.set(path, now())
  }
  const list = (prefix: string): readonly string[] =>
    [...objects.keys()].filter((path) => path.startsWith(prefix)).sort()
  return {
    objects,
    get: (path) => Promise.resolve(objects.get(path)),
    put: async (path, bytes) => set(path, bytes),
    putIfAbsent: async (path, bytes) => {
      if (objects.has(path)) return false
      set(path, bytes)
      return true
    },
    list: (prefix) => Promise.resolve(list(prefix)),
    listed: (prefix) =>
      Promise.resolve(
        list(prefix).map((path) => ({
          path,
          size: objects.get(path)!.length,
          modified: ages.get(path) ?? now(),
        })),
      ),
    range: (path, first, length) => {
      const bytes = objects.get(path)
      const from = first < 0 ? Math.max(0, (bytes?.length ?? 0) + first) : first
      return Promise.resolve(bytes?.subarray(from, from + length))
    },
    remove: async (path) => void objects.delete(path),
  }
}

/** A store that fails now and then, before or after it has done what was asked. */
export const faulty = (store: ObjectArchive, below: (n: number) => number, oneIn: number): ObjectArchive => {
  const fail = (what: string): void => {
    if (below(oneIn) === 0)
      throw new HostError('KT9999', `the store failed ${what}`, { retry: { afterMs: 1 } })
  }
  const unsure = async <T>(act: () => Promise<T>): Promise<T> => {
    await new Promise((resume) => setImmediate(resume))
    fail('before')
    const result = await act()
    fail('after')
    return result
  }
  return {
    get: (path) => unsure(() => store.get(path)),
    put: (path, bytes) => unsure(() => store.put(path, bytes)),
    putIfAbsent: (path, bytes) => unsure(() => store.putIfAbsent(path, bytes)),
    list: (prefix) => unsure(() => store.list(prefix)),
    listed: (prefix) => unsure(() => store.listed(prefix)),
    range: (path, first, length) => unsure(() => store.range(path, first, length)),
    remove: (path) => unsure(() => store.remove(path)),
  }
}

/** A folder as a store: written aside, then linked or renamed into place. */
export const folderObjects = (root: string): ObjectStore => {
  let count = 0
  const aside = (path: string, bytes: Uint8Array): string => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    const name = join(root, `.tmp-${process.pid}-${count++}`)
    const file = openSync(name, 'w')
    writeSync(file, bytes)
    fsyncSync(file)
    closeSync(file)
    return name
  }
  return {
    get: async (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path)) : undefined),
    put: async (path, bytes) => renameSync(aside(path, bytes), join(root, path)),
    putIfAbsent: async (path, bytes) => {
      const name = aside(path, bytes)
      try {
        linkSync(name, join(root, path))
        return true
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
        throw error
      } finally {
        rmSync(name)
      }
    },
    list: async (prefix) =>
      readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((path) => path.startsWith(prefix))
        .sort(),
    remove: async (path) => rmSync(join(root, path), { force: true }),
  }
}

/** 2026-01-01T23:59:30Z: records cross midnight half a minute later. */
export const EVENING = 1_767_311_970_000_000

/** Trades of one partition, `perRecord` a record, `stepMs` apart. */
export const tradeRecords = (
  partition: number,
  records: number,
  perRecord: number,
  stepMs = 100,
  start = EVENING,
): readonly Placed[] => {
  const rows = Array.from({ length: records * perRecord }, (_, i): Trade => {
    const time = start + i * stepMs * 1000 + ((partition * 17 + i * 13) % 1000)
    const base = ['BTC', 'ETH', 'SOL'][i % 3]!
    return {
      venue: 'binance',
      instrument: `binance:perp:${base}-USDT`,
      time,
      received: time + 2345,
      first: i + 1,
      last: i + 1,
      id: String(9_000_000 + i),
      side: i % 2 === 0 ? 'buy' : 'sell',
      price: 60_000 + (i % 50) / 2,
      size: (i % 9) / 8,
    }
  })
  const batches = Array.from({ length: records }, (_, i) => rows.slice(i * perRecord, (i + 1) * perRecord))
  return recordsOf(trade, 'trade', partition, atMidnight(batches))
}

/** As the log does: no record crosses midnight. */
const atMidnight = (batches: readonly (readonly Trade[])[]): readonly (readonly Trade[])[] =>
  batches.flatMap((rows) => {
    const days = new Map<number, Trade[]>()
    for (const row of rows) {
      const day = Math.floor(row.received / 86_400_000_000)
      days.set(day, [...(days.get(day) ?? []), row])
    }
    return [...days.values()]
  })
