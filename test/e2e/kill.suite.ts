import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { kt, killTree, start, temporary } from './command.ts'
import { holesIn } from './holes.ts'
import { randomOf } from '../random.ts'

/**
 * `KT_KILLS=50 npx vitest run test/e2e/kill.suite.ts` is the long form; its results stand in
 * docs/checks.md.
 */
const KILLS = Number(process.env['KT_KILLS'] ?? 8)
const SETTLE_MS = 15_000

interface Verified {
  readonly ok: boolean
  readonly findings: readonly string[]
  readonly topics: readonly { readonly topic: string; readonly log: number }[]
}

const json = async <T>(...args: readonly string[]): Promise<T> => {
  const { out, err } = await kt(...args, '--json')
  if (out === '') throw new Error(err)
  return JSON.parse(out) as T
}

test(
  `nothing is lost or doubled when the whole tree is killed ${KILLS} times`,
  { timeout: 60_000 + KILLS * 20_000 },
  async () => {
    using folder = temporary()
    const draw = randomOf(Number(process.env['KT_SEED'] ?? 1))
    const args = [
      'graph',
      'run',
      '--source',
      'sim',
      '--data',
      folder.path,
      '--port',
      '0',
      '--pairs',
      '12',
      '--rate',
      '1500',
    ]
    for (let kill = 0; kill < KILLS; kill++) {
      const { child } = start(args)
      await pause(2000 + draw(8000))
      killTree(child)
    }
    const last = start([...args, '--for', `${SETTLE_MS}ms`])
    const { code, err } = await last.ended
    expect(code, err).toBe(0)
    const verified = await json<Verified>('verify', '--data', folder.path)
    const { holes, unexplained } = await holesIn(folder.path)
    const trades = verified.topics.find((one) => one.topic === 'trade')!.log
    console.log(
      `${KILLS} kills: ${trades} trades in the log, ${holes} holes at the socket, ${unexplained} of them without a gap row`,
    )
    expect(verified.findings).toEqual([])
    expect(trades).toBeGreaterThan(1000)
    expect(unexplained).toBe(0)
  },
)
