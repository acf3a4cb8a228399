// npm run bench [-- --quick]: the path from bytes to columns beside a naive one, on real frames, interleaved
// in one run.
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { loadFrames } from './frames.ts'
import type { FrameSet } from './frames.ts'
import { ktPipeline } from './kt.ts'
import { naivePipeline } from './naive.ts'
import type { Pipeline } from './pipeline.ts'

interface Measured {
  readonly set: string
  readonly frames: number
  /** CPU microseconds a frame, by pipeline: the median of the rounds, and the least and the most. */
  readonly cpuUs: Readonly<Record<string, readonly [median: number, least: number, most: number]>>
  readonly ratio: number
}

const quick = process.argv.includes('--quick')
const rounds = quick ? 3 : 7
/**
 * The first part of the frames is not timed: a shard runs for days, and the compiler has long seen its
 * code.
 */
const WARM = 0.4

const cpuUsOf = (frames: number, work: () => void): number => {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / frames
}

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

/** Every round runs every pipeline once, in turn: what slows the machine slows both. */
const measure = (set: FrameSet): Measured => {
  const make = [() => ktPipeline(set), () => naivePipeline(set)]
  const found = new Map<string, number[]>()
  const ends = new Map<string, ReturnType<Pipeline['end']>>()
  for (let round = -1; round < rounds; round++) {
    for (const each of round % 2 === 0 ? make : make.toReversed()) {
      const pipeline = each()
      const from = Math.floor(set.frames.length * WARM)
      for (let at = 0; at < from; at++) pipeline.take(at)
      const us = cpuUsOf(set.frames.length - from, () => {
        for (let at = from; at < set.frames.length; at++) pipeline.take(at)
      })
      ends.set(pipeline.name, pipeline.end())
      if (round >= 0) found.set(pipeline.name, [...(found.get(pipeline.name) ?? []), us])
    }
  }
  const [ours, theirs] = ['kt', 'naive'].map((name) => ends.get(name)!)
  if (ours!.bid !== theirs!.bid || ours!.ask !== theirs!.ask) {
    throw new Error(`${set.name}: the pipelines end at other best prices: ${JSON.stringify([ours, theirs])}`)
  }
  const cpuUs = Object.fromEntries(
    [...found].map(([name, values]) => [
      name,
      [medianOf(values), Math.min(...values), Math.max(...values)] as const,
    ]),
  )
  const ratio = medianOf(found.get('naive')!.map((naive, round) => naive / found.get('kt')![round]!))
  return { set: set.name, frames: set.frames.length, cpuUs, ratio }
}

const sets = loadFrames()
if (sets.length === 0) {
  console.log(
    'the recordings are absent: nothing to measure (see test/e2e/command.ts for where they are looked for)',
  )
  process.exit(0)
}
const all = sets.map(measure)
const cell = ([median, least, most]: readonly [number, number, number]): string =>
  `${median.toFixed(1)} (${least.toFixed(1)}-${most.toFixed(1)})`
const rows = all.map(
  ({ set, frames, cpuUs, ratio }) =>
    `| ${set} | ${frames} | ${cell(cpuUs['kt']!)} | ${cell(cpuUs['naive']!)} | ${ratio.toFixed(2)}x | ${ratio >= 1 ? 'holds' : 'falls short'} |`,
)
const head = [
  '| frames | n | kt, CPU us a frame | naive, CPU us a frame | naive / kt | no slower than naive |',
  '|---|---:|---:|---:|---:|---|',
]
const text = [...head, ...rows].join('\n')
console.log(text)
if (process.argv.includes('--write')) {
  const path = join(import.meta.dirname, 'results.md')
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const machine = `${cpus().length} x ${cpus()[0]!.model.trim()}, Node ${process.versions.node}, commit ${commit}, ${new Date().toISOString().slice(0, 10)}`
  const before = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    before.replace(
      /(<!-- pipeline -->)[\s\S]*?(<!-- end -->)/,
      `$1\n${machine}; ${rounds} rounds, median (least-most)\n\n${text}\n$2`,
    ),
  )
}
