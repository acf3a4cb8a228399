import { binanceFrames, bybitFrames } from '../../bench/frames.ts'
import { ktPipeline } from '../../bench/kt.ts'
import { Loop } from '../../bench/loop.ts'
import { joinHotCode } from '../../runtime/driver/engine.ts'

// Plays the recorded books of several markets, one after the other, each for a while: `node --trace-deopt
// settling-child.ts`. V8 tells what code it gives up.
joinHotCode()
const MESSAGES = 60_000
for (const set of [binanceFrames('spot'), binanceFrames('usdm'), ...bybitFrames()]) {
  const loop = new Loop({ ...set, frames: set.frames.slice(0, 20_000) })
  const { take } = ktPipeline(set.source, 'all')
  for (let turn = 0; turn * loop.frames.length < MESSAGES; turn++) {
    loop.turn(turn)
    for (const frame of loop.frames) take(frame)
  }
}
