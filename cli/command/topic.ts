import { readBatch, rowOf } from '../../graph/batch.ts'
import type { Described } from '../../graph/describe.ts'
import { KtError } from '../../graph/error.ts'
import type { Plan } from '../../graph/plan.ts'
import type { LogReader, Placed } from '../../graph/port.ts'
import { present } from '../../graph/present.ts'
import { logged } from '../../graph/schema.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import { loadGraph, planOf } from '../graph-file.ts'
import { EXIT, print, printJson } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { lookAtLog } from '../look.ts'
import { runFolder, wholeNumber } from '../settings.ts'
import { NONE, sizeText, table } from '../table.ts'

interface TopicOptions extends GlobalOptions {
  readonly data?: string
}

/** Every topic partition with its offsets, rows and bytes. */
export const list = async (options: TopicOptions): Promise<number> => {
  const { root, run } = runFolder(options.data)
  const log = await lookAtLog(root)
  const ends = await log.ends()
  await log.close()
  if (options.json === true) printJson(ends)
  else {
    const names = topicsOf(run.plan)
    const place = (name: string): number => (names.includes(name) ? names.indexOf(name) : names.length)
    const rows = ends
      .toSorted((a, b) => place(a.topic) - place(b.topic) || a.partition - b.partition)
      .map((end) => [end.topic, end.partition, end.first, end.next, ...heldIn(end)])
    const empty = names.filter((name) => ends.every(({ topic }) => topic !== name))
    const none = empty.map((name) => [name, NONE, NONE, NONE, 0, NONE])
    print(table(['topic', 'partition', 'first', 'next', 'rows', 'size'], [...rows, ...none]))
  }
  return EXIT.ok
}

/** Rows and size, where the log counts them. */
const heldIn = ({ rows, bytes }: { readonly rows: number; readonly bytes: number }) => [
  rows < 0 ? NONE : rows,
  bytes < 0 ? NONE : sizeText(bytes),
]

/** The topics of the plan that ran, in its order. */
const topicsOf = (plan: unknown): readonly string[] =>
  ((plan as Described | undefined)?.nodes ?? [])
    .filter((node) => node.kind === 'topic')
    .map(({ name }) => name)

/**
 * The newest rows of a topic as JSON lines, and with `follow` all that come after them: each with its
 * partition and offset, so that it can be found again.
 */
export const tail = async (
  name: string,
  options: TopicOptions & { readonly n: string; readonly follow?: boolean },
): Promise<number> => {
  const { root, run } = runFolder(options.data)
  const plan = planOf(await loadGraph(run.file))
  const topic = topicNamed(plan, name)
  const log = await lookAtLog(root, plan)
  const wanted = wholeNumber(options.n, '-n', 0, 1_000_000)
  const ends = (await log.ends()).filter((end) => end.topic === name)
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  // A partition that nothing was written to yet may begin while we follow.
  const from = Array.from({ length: topic.partitions }, (_, partition) => {
    const { first, next } = ends.find((end) => end.partition === partition) ?? { first: 0, next: 0 }
    return { topic: name, partition, offset: Math.max(first, next - wanted), next }
  })
  const reader = await log.read(from)
  const records = from.reduce((sum, { offset, next }) => sum + next - offset, 0)
  for (const line of await newest(reader, topic, records, wanted)) print(line)
  while (options.follow === true && !stop.signal.aborted)
    for (const record of await reader.read(BYTES, FOLLOW_MS))
      for (const line of lines(topic, record)) print(line)
  await reader.close()
  await log.close()
  return EXIT.ok
}

const BYTES = 4_000_000
const FOLLOW_MS = 500

/** The last rows of so many records. More records may come meanwhile, faster than they are shown. */
const newest = async (
  reader: LogReader,
  topic: AnyTopic,
  records: number,
  wanted: number,
): Promise<readonly string[]> => {
  let found: string[] = []
  for (let left = records; left > 0;) {
    const read = await reader.read(BYTES, 0)
    if (read.length === 0) break
    left -= read.length
    found = [...found, ...read.flatMap((record) => lines(topic, record))].slice(-wanted)
  }
  return found
}

const topicNamed = ({ topics }: Plan, name: string): AnyTopic => {
  const topic = topics.find((one) => one.name === name)
  if (topic !== undefined) return topic
  throw new KtError('KT6405', `there is no topic "${name}"`, {
    fix: `Topics are ${topics.map((one) => one.name).join(', ')}.`,
  })
}

const lines = (topic: AnyTopic, record: Placed): readonly string[] => {
  const batch = readBatch(logged(topic.schema), present(topic.schema, record).bytes)
  return Array.from({ length: batch.rows }, (_, row) =>
    JSON.stringify({ _part: record.partition, _off: record.offset, _row: row, ...rowOf(batch, row) }),
  )
}
