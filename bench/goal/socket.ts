import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { SourceName } from '../frames.ts'
import { measuredOf, resultOf } from '../measure.ts'
import { agree } from '../pipeline.ts'
import type { Ended, Reach } from '../pipeline.ts'
import type { Result } from './result.ts'

/** What a listener says at its end. */
export interface Heard {
  readonly cpuNs: number
  readonly ended: Ended
}

const start = (file: string, ...words: readonly string[]): ChildProcess =>
  fork(join(import.meta.dirname, '..', 'socket', file), words, {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  })

const TIMEOUT_MS = 120_000

interface Asked {
  readonly source: SourceName
  readonly reach: Reach
  readonly messages: number
}

/** One listener at a venue, each a process of its own; the listener's CPU time is the cost. */
const hear = async (listener: string, port: number, { source, reach, messages }: Asked): Promise<Heard> => {
  const child = start('listen.ts', listener, source, reach, String(port), String(messages))
  const timer = setTimeout(() => child.kill(), TIMEOUT_MS)
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${listener} did not hear ${messages} messages of ${source}`)
  })
  try {
    const [heard] = (await Promise.race([once(child, 'message'), ended])) as [Heard]
    return heard
  } finally {
    ended.catch(() => {})
    clearTimeout(timer)
    child.kill()
  }
}

interface Case {
  readonly source: SourceName
  readonly reach: Reach
  readonly what: string
  readonly peers: readonly (readonly [
    listener: string,
    shown: string,
    least: number,
    same: readonly (keyof Ended)[],
  ])[]
}

const CASES: readonly Case[] = [
  {
    source: 'binance.spot',
    reach: 'all',
    what: 'Binance spot BTCUSDT, socket to book to columns',
    peers: [
      ['naive', 'ws + JSON.parse, naive', 12, ['trades', 'bid', 'ask']],
      ['tardis-dev', 'ws + tardis-dev mappers and book', 18, ['trades', 'bid', 'ask']],
    ],
  },
  {
    source: 'binance.spot',
    reach: 'trade',
    what: 'Binance spot BTCUSDT trades, live',
    peers: [['live', 'tardis-dev streamNormalized', 10, ['trades']]],
  },
  {
    source: 'bybit.linear',
    reach: 'book',
    what: 'Bybit linear BTCUSDT book changes, live',
    peers: [['live', 'tardis-dev streamNormalized', 10, ['deltas']]],
  },
]

/**
 * G6: kt's own source, socket, shard and batches, beside what one writes with `ws`, and beside tardis-dev.
 */
export const socket = async (quick: boolean): Promise<readonly Result[]> => {
  const results: Result[] = []
  for (const { source, reach, what, peers } of CASES) {
    // A shard runs for days: the last quarter is timed, when the compiler has long seen all code.
    const messages = (reach === 'all' ? 300_000 : 800_000) * (quick ? 0.2 : 1)
    const venue = start('venue.ts', source, reach === 'all' ? 'trade,book' : reach, String(messages))
    const [port] = (await once(venue, 'message')) as [number]
    const names = ['kt', ...peers.map(([listener]) => listener)]
    const found = new Map(names.map((name): [string, number[]] => [name, []]))
    for (let round = 0; round < (quick ? 2 : 5); round++) {
      const ends = new Map<string, Ended>()
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        const { cpuNs, ended } = await hear(name, port, { source, reach, messages })
        found.get(name)!.push(cpuNs)
        ends.set(name, ended)
      }
      for (const [name, , , same] of peers) agree(what, ends.get('kt')!, ends.get(name)!, same)
    }
    venue.kill()
    const ours = measuredOf('kt', found.get('kt')!)
    for (const [name, shown, least] of peers) {
      const theirs = measuredOf(shown, found.get(name)!)
      results.push(resultOf({ goal: 'G6', what, unit: 'CPU ns/message', least }, ours, theirs))
    }
  }
  return results
}
