// npm run chaos [-- FAULTS SEED]: a run under load, and fault after fault; then the proof that nothing was lost
// and nothing is there twice. Ends with 2 when something is. With KT_KAFKA=1 the log is in Kafka, on three brokers,
// of which the one that leads the trades is killed, too.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SmallDisk } from '../small-disk.ts'
import { chaos } from './chaos.ts'
import { openCluster } from './cluster.ts'
import { StepClock } from './step-clock.ts'

const [faults = 100, seed = 1] = process.argv.slice(2).map(Number)
const disk = SmallDisk.open('3g')
const folder = disk?.folder ?? mkdtempSync(join(tmpdir(), 'kt-chaos-'))
if (disk === undefined) console.log('no disk of its own could be mounted: it will not be filled')
const clock = StepClock.open()
if (clock === undefined) console.log('no C compiler, or not Linux: the wall clock will not be set')
const kafka = process.env['KT_KAFKA'] === '1' ? await openCluster() : undefined
const able = { disk: disk !== undefined, clock, ...(kafka === undefined ? {} : { kafka }) }
const report = await chaos({ faults, seed, folder, ...able, say: console.log }).finally(async () => {
  clock?.[Symbol.dispose]()
  await kafka?.close()
})
const { recoveryMs, findings, unexplained } = report
const at = (share: number): number =>
  recoveryMs[Math.min(recoveryMs.length - 1, Math.floor(recoveryMs.length * share))]!
console.log(
  JSON.stringify(
    { ...report, recoveryMs: { p50: at(0.5), p99: at(0.99), most: recoveryMs.at(-1) } },
    null,
    2,
  ),
)
if (disk === undefined) rmSync(folder, { recursive: true, force: true })
else disk[Symbol.dispose]()
process.exit(findings.length === 0 && unexplained === 0 ? 0 : 2)
