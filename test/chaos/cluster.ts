import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { brokerDown, brokerUp, clusterUp } from '../../bin/kafka.ts'
import { leaderOf } from '../runtime/kafka-leader.ts'
import type { ChaosOptions } from './chaos.ts'

/** Long enough for another broker to lead. */
const AWAY_MS = 6000

/** Three brokers for the log of a run, of which the one that leads the trades can be killed. */
export const openCluster = async (): Promise<
  NonNullable<ChaosOptions['kafka']> & { readonly close: () => Promise<void> }
> => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-kafka-'))
  const nodes = await clusterUp(folder, 3)
  const brokers = nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')
  return {
    environment: { KT_KAFKA_BROKERS: brokers },
    die: async () => {
      const port = await leaderOf(brokers, 'basis.trade')
      const dead = nodes.find((node) => node.port === port) ?? nodes[0]!
      await brokerDown(dead.folder, 'SIGKILL')
      await pause(AWAY_MS)
      await brokerUp(dead.folder)
    },
    close: async () => {
      await brokerDown(folder, 'SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
