// One pipeline over one workload, message by message: `node bench/serve.ts kt wide 100000`.
import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { getHeapStatistics } from 'node:v8'
import { joinHotCode } from '../runtime/driver/engine.ts'
import { ktPipeline } from './kt.ts'
import { ownCpuNs } from './measure.ts'
import { naivePipeline } from './naive.ts'
import type { Pipeline } from './pipeline.ts'
import type { Served } from './service.ts'
import { tardisPipelines } from './tardis.ts'
import { workload } from './workload.ts'
import type { WorkloadName } from './workload.ts'

joinHotCode()
const [name = 'kt', kind = 'one', count = '100000'] = process.argv.slice(2)

const made = async (): Promise<Pipeline> => {
  if (name === 'naive') return naivePipeline()
  if (name === 'kt') return ktPipeline('binance.spot', 'all')
  return (await tardisPipelines('binance.spot'))('all')
}

const load = workload(kind as WorkloadName, Number(count))
const pipeline = await made()
for (const frame of load.warm()) pipeline.take(frame)
const timesUs = new Float64Array(Number(count) + 1)
let [collections, taken, cpuNs] = [0, 0, 0]
// The heap is looked at every so often; looks between which it was collected say nothing.
const LOOK = 4_096
let [heapUsed, heapGrown, heapOver] = [0, 0, 0]
const look = (): void => {
  const { used_heap_size: used } = getHeapStatistics()
  if (heapUsed > 0 && used >= heapUsed) {
    heapGrown += used - heapUsed
    heapOver += LOOK
  }
  heapUsed = used
}
globalThis.gc?.()
await pause(20)
const observer = new PerformanceObserver((list) => {
  collections += list.getEntries().length
})
observer.observe({ entryTypes: ['gc'] })
for (const frames of load.timed()) {
  const before = ownCpuNs()
  for (let at = 0; at < frames.length; at++) {
    if (taken % LOOK === 0) look()
    const begun = performance.now()
    pipeline.take(frames[at]!)
    timesUs[taken++] = (performance.now() - begun) * 1000
  }
  cpuNs += ownCpuNs() - before
}
// The observer is told in a later turn of the event loop.
await pause(20)
observer.disconnect()
const times = timesUs.subarray(0, taken).toSorted()
const at = (part: number): number => times[Math.min(taken - 1, Math.floor(taken * part))]!
const served: Served = {
  messages: taken,
  cpuNs: cpuNs / taken,
  p50: at(0.5),
  p99: at(0.99),
  p999: at(0.999),
  p9999: at(0.9999),
  collections: (collections * 100_000) / taken,
  heapBytes: heapOver === 0 ? Number.NaN : heapGrown / heapOver,
  rssMb: process.memoryUsage.rss() / 2 ** 20,
  ended: pipeline.end(),
}
if (process.send === undefined) console.log(served)
else await new Promise((sent) => process.send!(served, sent))
process.exit(0)
