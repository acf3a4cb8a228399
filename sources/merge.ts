import type { Recorded, Tape } from './replay.ts'

/**
 * Several tapes as one, ordered by (received, tape, line): two replays of the same files are the same. A tape
 * whose clock goes back keeps its own order.
 */
export const merge = (tapes: readonly Tape[]): Tape => {
  const heads = tapes.map((tape) => ({
    tape,
    batch: [] as readonly Recorded[],
    at: 0,
    time: -Infinity,
    ended: false,
  }))
  type Head = (typeof heads)[number]
  const fill = async (head: Head): Promise<void> => {
    while (!head.ended && head.at >= head.batch.length) {
      const batch = await head.tape.next()
      head.ended = batch === undefined
      head.batch = batch ?? []
      head.at = 0
    }
    const first = head.batch[head.at]
    if (first !== undefined) head.time = Math.max(head.time, first.received)
  }
  let filled = false
  const earliest = (): Head | undefined => {
    let best: Head | undefined
    for (const head of heads) if (!head.ended && (best === undefined || head.time < best.time)) best = head
    return best
  }
  const next = async (): Promise<readonly Recorded[] | undefined> => {
    if (!filled) await Promise.all(heads.map(fill))
    filled = true
    const batch: Recorded[] = []
    while (batch.length < BATCH) {
      const head = earliest()
      if (head === undefined) return batch.length === 0 ? undefined : batch
      batch.push(head.batch[head.at] as Recorded)
      head.at += 1
      const first = head.batch[head.at]
      if (first !== undefined) head.time = Math.max(head.time, first.received)
      else await fill(head)
    }
    return batch
  }
  return { name: tapes.map((tape) => tape.name).join(' '), next }
}

const BATCH = 4096
