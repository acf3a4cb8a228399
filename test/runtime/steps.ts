import type { LogReader, LogWriter, Placed, ReadFrom, Step } from '../../graph/port.ts'

export const S = 1_750_000_000_000_000

/** Bytes that say where they belong, so that a batch in the wrong place is seen. */
export const bytesFor = (step: number, record: number, length = 64): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (step * 31 + record * 7 + i) & 255
  return bytes
}

/** Step `step` of a shard: one record for each of the topics, and the input as far as it has come. */
export const stepOf = (shard: string, step: number, topics: readonly string[], length = 64): Step => ({
  shard,
  step,
  time: S + step * 1000,
  inputs: [{ topic: 'raw', partition: 0, next: step * 10 }],
  records: topics.map((topic, i) => ({
    topic,
    partition: 0,
    schema: `${topic}/1`,
    rows: step + i,
    bytes: bytesFor(step, i, length),
  })),
})

export const from = (...topics: readonly string[]): readonly ReadFrom[] =>
  topics.map((topic) => ({ topic, partition: 0, offset: 0 }))

/** Append steps first to last, one after the other. */
export const fill = async (
  writer: LogWriter,
  shard: string,
  first: number,
  last: number,
  topics: readonly string[],
  length = 64,
): Promise<void> => {
  for (let step = first; step <= last; step++) await writer.append(stepOf(shard, step, topics, length))
}

/** All that is there. */
export const drain = async (reader: LogReader, bytesMax = 1 << 20): Promise<readonly Placed[]> => {
  const all: Placed[] = []
  for (;;) {
    const found = await reader.read(bytesMax, 0)
    if (found.length === 0) return all
    all.push(...found)
  }
}

/** A record without its bytes, for a person to compare. */
export const brief = ({ topic, partition, offset, shard, epoch, step, rows }: Placed): string =>
  `${topic}/${partition}@${offset} ${shard}.${epoch}.${step} ${rows}`

/** The code of the error that it rejects with. */
export const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise
    return 'no error'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}
