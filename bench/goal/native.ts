import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { binanceFrames, bybitFrames } from '../frames.ts'
import type { FrameSet } from '../frames.ts'
import { ktPipeline } from '../kt.ts'
import { Loop } from '../loop.ts'
import { measure, measuredOf, resultOf } from '../measure.ts'
import { buildNative } from '../peer/native.ts'
import type { Native, NativeRun } from '../peer/native.ts'
import { agree } from '../pipeline.ts'
import { tardisPipelines } from '../tardis.ts'
import { only, wayOf } from './columns.ts'
import type { Result } from './result.ts'

/** How many times faster than each Rust way kt is to be: "within 3x" of the bound is a third. */
const LEAST: Readonly<Record<string, number>> = {
  'by hand, dense book': 1 / 3,
  'sonic-rs, dense book': 1,
  'sonic-rs, BTreeMap': 1,
  'serde_json, hftbacktest depth': 2,
}

const priceDecimals = ({ source, symbol }: FrameSet): number =>
  source === 'binance.usdm' || (source === 'bybit.linear' && symbol === 'BTCUSDT')
    ? 1
    : symbol === 'SOLUSDT'
      ? 3
      : 2

/** Each message behind its length. */
const fileOf = (frames: Loop['frames']): Buffer =>
  Buffer.concat(
    frames.flatMap(({ bytes }) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.length)
      return [length, bytes]
    }),
  )

const besideSet = async (
  set: FrameSet,
  native: Native | undefined,
  rounds: number,
): Promise<readonly Result[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-bench-native-'))
  const loop = new Loop(set)
  loop.turn(0)
  const file = join(folder, 'frames')
  writeFileSync(file, fileOf(loop.frames))
  const [kt, tardis] = [ktPipeline(set.source, 'best'), (await tardisPipelines(set.source))('best')]
  const runs = new Map<string, NativeRun[]>()
  const rust = {
    name: 'rust',
    run: () => {
      for (const one of native?.(file, priceDecimals(set), rounds) ?? []) {
        runs.set(one.name, [...(runs.get(one.name) ?? []), one])
      }
    },
  }
  // The processes of Rust are counted by themselves; here they only take their turn.
  const ways = [wayOf(kt, loop), wayOf(tardis, loop, 'tardis-dev mappers and book')]
  const measured = await measure([...ways, { ...rust, leastMs: 0 }], { rounds, ops: loop.frames.length })
  rmSync(folder, { recursive: true })
  const [ours, theirs] = measured
  const ended = kt.end()
  agree(set.name, ended, tardis.end(), ['bid', 'ask'])
  const about = { goal: 'G13', what: `${set.name}: parse, book, best bid and ask`, unit: 'CPU ns/frame' }
  const beside = [...runs].map(([name, all]) => {
    for (const { bid, ask } of all)
      agree(`${set.name}, ${name}`, ended, { ...ended, bid, ask }, ['bid', 'ask'])
    // The first round warms kt up and is not among its rounds.
    const peer = measuredOf(
      `Rust: ${name}`,
      all.slice(-rounds).map(({ ns }) => ns),
    )
    return resultOf({ ...about, least: LEAST[name]! }, ours!, peer)
  })
  return [...beside, resultOf({ ...about, least: 12 }, ours!, theirs!)]
}

/** G13: parse, book, and best bid and ask after each change, beside Rust and tardis-dev. */
export const native = async (quick: boolean): Promise<readonly Result[]> => {
  const program = buildNative()
  const most = quick ? 3_000 : 20_000
  const bybit = bybitFrames().slice(0, quick ? 2 : 3)
  const sets = [binanceFrames('spot'), binanceFrames('usdm'), ...bybit].map((set) => only(set, 'book', most))
  const results: Result[] = []
  for (const set of sets) results.push(...(await besideSet(set, program, quick ? 3 : 9)))
  if (program !== undefined) return results
  const none = { ours: Number.NaN, theirs: Number.NaN, unit: 'CPU ns/frame', least: 0 }
  const note = 'not run: cargo is not present'
  return [...results, { goal: 'G13', what: 'parse, book, best bid and ask', peer: 'Rust', ...none, note }]
}
