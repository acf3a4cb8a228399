import { expectSameRows } from '../equal.ts'
import { binanceFrames, bybitFrames } from '../frames.ts'
import type { FrameSet } from '../frames.ts'
import { ktColumns, ktPipeline } from '../kt.ts'
import { measure, resultOf } from '../measure.ts'
import type { Way } from '../measure.ts'
import { Loop } from '../loop.ts'
import type { Pipeline } from '../pipeline.ts'
import { tardisPipelines } from '../tardis.ts'
import type { Result } from './result.ts'

/**
 * A way that takes a recording again in each round, with a pipeline that lives through all of them: a shard
 * runs for days, and the compiler has long seen its code.
 */
export const wayOf = (pipeline: Pipeline, loop: Loop, name = pipeline.name): Way => {
  let turns = 0
  const { frames } = loop
  return {
    name,
    before: () => loop.turn(turns++),
    run: () => {
      for (let at = 0; at < frames.length; at++) pipeline.take(frames[at]!)
    },
  }
}

/** Frames of one channel, at most so many. */
export const only = (set: FrameSet, channel: 'trade' | 'book', most: number): FrameSet => {
  const frames = set.frames.filter(
    (one) => one.channel === channel || (channel === 'book' && one.channel === 'seed'),
  )
  return {
    ...set,
    name: `${set.name.split(',')[0]}, ${channel === 'trade' ? 'trades' : 'book changes'}`,
    frames: frames.slice(0, most),
  }
}

/**
 * G1: from the bytes of a message to normalized columns, beside the mappers of tardis-dev, which make
 * objects; and what all of a shard takes, which does more than they do.
 */
export const columns = async (quick: boolean): Promise<readonly Result[]> => {
  const [trades, changes] = quick ? [8_000, 4_000] : [40_000, 20_000]
  const sets = [binanceFrames('spot'), binanceFrames('usdm'), ...bybitFrames().slice(0, quick ? 1 : 3)]
  const results: Result[] = []
  for (const set of sets) {
    const tardis = await tardisPipelines(set.source)
    for (const channel of ['trade', 'book'] as const) {
      const part = only(set, channel, channel === 'trade' ? trades : changes)
      if (part.frames.length < 100) continue
      expectSameRows(part, channel, tardis)
      const loop = new Loop(part)
      const ways = [
        wayOf(ktColumns(set.source), loop),
        wayOf(ktPipeline(set.source, channel), loop),
        wayOf(tardis(channel), loop, 'tardis-dev mappers'),
      ]
      const measured = await measure(ways, { rounds: quick ? 5 : 9, ops: loop.frames.length })
      const [ours, shard, theirs] = measured
      const about = { goal: 'G1', what: part.name, unit: 'CPU ns/frame' }
      results.push(resultOf({ ...about, least: channel === 'trade' ? 15 : 10 }, ours!, theirs!))
      const what = `${part.name}, a shard with gap check and log records`
      results.push(resultOf({ ...about, what, least: 0 }, shard!, theirs!))
    }
  }
  return results
}
