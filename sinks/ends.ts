import type { Log } from '../graph/port.ts'

/** By partition of a topic, where the log begins and ends. */
export type Ends = ReadonlyMap<number, { readonly first: number; readonly next: number }>

export const endsOf = async (log: Pick<Log, 'ends'>, name: string): Promise<Ends> => {
  const ends = (await log.ends()).filter(({ topic }) => topic === name)
  return new Map(ends.map(({ partition, first, next }) => [partition, { first, next }]))
}
