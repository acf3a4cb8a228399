import { readBatch, rowsOf } from '../../graph/batch.ts'
import type { Placed } from '../../graph/port.ts'
import { present } from '../../graph/present.ts'
import { logged } from '../../graph/schema.ts'
import type { AnyTopic, Format } from '../../graph/topic.ts'
import type { Row } from './events.ts'

export const FORMATS: readonly Format[] = ['arrow', 'json', 'avro']

/** The rows of records, as the present versions of their topics have them. */
export const rowsIn = (topics: readonly AnyTopic[], records: readonly Placed[]): readonly Row[] =>
  records.flatMap((record) => {
    const { schema: own } = topics.find(({ name: one }) => one === record.topic)!
    return rowsOf(readBatch(logged(own), present(own, record).bytes))
  })
