import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { measuredOf, resultOf } from '../measure.ts'
import type { Received } from '../socket/receiver.ts'
import type { Result } from './result.ts'

interface Sender {
  readonly port: number
  readonly securePort: number
  readonly ca: string
  /** Bytes of a frame on average, by kind. */
  readonly sizes: Readonly<Record<string, number>>
}

interface Case {
  readonly kind: 'trade' | 'mix' | 'depth'
  readonly shown: string
  readonly secure: boolean
  readonly messages: number
  /** Small frames are what G5 is about. */
  readonly least: number
}

const CASES: readonly Case[] = [
  { kind: 'trade', shown: 'trades, TCP', secure: false, messages: 1_200_000, least: 5 },
  { kind: 'mix', shown: 'all streams, TCP', secure: false, messages: 1_200_000, least: 5 },
  { kind: 'depth', shown: 'book, TCP', secure: false, messages: 200_000, least: 3 },
  { kind: 'trade', shown: 'trades, TLS', secure: true, messages: 1_200_000, least: 3 },
  { kind: 'mix', shown: 'all streams, TLS', secure: true, messages: 1_200_000, least: 3 },
]

/**
 * Our client with ranges, as the hot path takes them; with a view a message, as the port has them; `ws`; and
 * one that throws away what it reads, which is the least that a message can cost.
 */
const NAMES = ['kt', 'kt views', 'ws', 'reads'] as const

const start = (file: string, words: readonly string[] = []): ChildProcess =>
  fork(join(import.meta.dirname, '..', 'socket', file), words, {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })

const receiveAs = async (
  name: string,
  { kind, secure, messages }: Case,
  { port, securePort, ca, sizes }: Sender,
): Promise<Received> => {
  const url = `${secure ? 'wss' : 'ws'}://127.0.0.1:${secure ? securePort : port}/${kind}/${messages}`
  const child = start('receiver.ts', [name, url, String(messages), secure ? ca : '', String(sizes[kind])])
  const timer = setTimeout(() => child.kill(), 120_000)
  try {
    const gone = once(child, 'exit').then(() => {
      throw new Error(`${name} did not hear ${messages} messages of ${kind}`)
    })
    gone.catch(() => {})
    const [received] = (await Promise.race([once(child, 'message'), gone])) as [Received]
    if (received.sum[0] === messages) return received
    throw new Error(`${name} heard ${received.sum[0]} of ${messages} messages of ${kind}`)
  } finally {
    clearTimeout(timer)
    child.kill()
  }
}

/** G5: CPU time of a process that receives real frames, from a sender in another process that never waits. */
export const receive = async (quick: boolean): Promise<readonly Result[]> => {
  const venue = start('sender.ts')
  try {
    const [sender] = (await once(venue, 'message')) as [Sender]
    const results: Result[] = []
    for (const each of CASES) {
      const size = sender.sizes[each.kind] ?? 0
      if (size === 0) continue
      const one = { ...each, messages: quick ? each.messages / 4 : each.messages }
      const names = NAMES.filter((name) => name !== 'reads' || !one.secure)
      const found = new Map<string, number[]>(NAMES.map((name) => [name, []]))
      for (let round = 0; round < (quick ? 3 : 7); round++) {
        const sums = new Set<string>()
        for (const name of round % 2 === 0 ? names : names.toReversed()) {
          const { cpuNs, sum } = await receiveAs(name, one, sender)
          found.get(name)!.push(cpuNs)
          if (name !== 'reads') sums.add(String(sum))
        }
        if (sums.size > 1) throw new Error(`${each.shown}: the clients heard other bytes`)
      }
      const [ours, views, theirs, reads] = NAMES.map((name) => measuredOf(name, found.get(name)!))
      const what = `Binance spot ${each.shown}, ${size} B`
      const about = { goal: 'G5', unit: 'CPU ns/message', least: each.least }
      results.push(resultOf({ ...about, what }, ours!, theirs!))
      results.push(resultOf({ ...about, what: `${what}, a Uint8Array each`, least: 0 }, views!, theirs!))
      if (one.secure) continue
      results.push(resultOf({ ...about, what: `${what}, read and thrown away`, least: 0 }, reads!, theirs!))
    }
    return results
  } finally {
    venue.kill()
  }
}
