import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { Ended } from './pipeline.ts'
import { agree } from './pipeline.ts'
import { measuredOf } from './measure.ts'
import type { Measured } from './measure.ts'
import type { WorkloadName } from './workload.ts'

/** What one process says of the messages that it took. Times in microseconds. */
export interface Served {
  readonly messages: number
  readonly cpuNs: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly p9999: number
  /** Collections of any kind for 100,000 messages. */
  readonly collections: number
  /** Allocated on the heap by a message, bytes; the memory of batches lies outside of it. */
  readonly heapBytes: number
  readonly rssMb: number
  readonly ended: Ended
}

type PipelineName = 'kt' | 'naive' | 'tardis-dev'

/** One process that takes a workload with one pipeline: nothing else makes garbage in it. */
export const serve = async (
  pipeline: PipelineName,
  workload: WorkloadName,
  messages: number,
): Promise<Served> => {
  const child = fork(join(import.meta.dirname, 'serve.ts'), [pipeline, workload, String(messages)], {
    execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  })
  return new Promise((resolve, reject) => {
    child.on('message', (served) => resolve(served as Served))
    child.on('exit', (code) => reject(new Error(`${pipeline} over ${workload} ended with ${code}`)))
  })
}

type Numbers = Exclude<keyof Served, 'ended' | 'messages'>

/** Rounds of two pipelines in turn; what they end at must agree. */
export const beside = async (
  workload: WorkloadName,
  messages: number,
  rounds: number,
  peer: PipelineName = 'naive',
): Promise<(of: Numbers) => readonly [ours: Measured, theirs: Measured]> => {
  const [ours, theirs]: [Served[], Served[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    const first = round % 2 === 0
    if (first) ours.push(await serve('kt', workload, messages))
    theirs.push(await serve(peer, workload, messages))
    if (!first) ours.push(await serve('kt', workload, messages))
    agree(workload, ours.at(-1)!.ended, theirs.at(-1)!.ended, ['trades', 'bid', 'ask'])
  }
  return (of) => [
    measuredOf(
      'kt',
      ours.map((one) => one[of]),
    ),
    measuredOf(
      peer,
      theirs.map((one) => one[of]),
    ),
  ]
}
