import { createHash } from 'node:crypto'
import { readBatch, rowsOf } from '../../graph/batch.ts'
import type { Log } from '../../graph/port.ts'
import { present } from '../../graph/present.ts'
import { logged } from '../../graph/schema.ts'
import type { AnyTopic } from '../../graph/topic.ts'
import { rangesOf } from '../../cli/compare.ts'
import { recordsOf } from '../../runtime/records.ts'

/** What a log has of a topic, in the columns that are named: those that its rows were written with. */
export interface Told {
  readonly columns: readonly string[]
  readonly rows: number
  readonly digest: string
}

export const toldOf = async (log: Log, topic: AnyTopic, columns: readonly string[]): Promise<Told> => {
  const hash = createHash('sha256')
  let rows = 0
  for (const { partition, first, next } of rangesOf(await log.ends(), topic))
    for await (const record of recordsOf(log, { topic: topic.name, partition, offset: first }, next))
      for (const row of rowsOf(readBatch(logged(topic.schema), present(topic.schema, record).bytes))) {
        hash.update(JSON.stringify(columns.map((name) => row[name])))
        rows++
      }
  return { columns, rows, digest: hash.digest('hex') }
}
