// npm run chaos [-- FAULTS SEED]: a run under load, and fault after fault; then the proof that nothing was lost
// and nothing is there twice. Ends with 2 when something is. With KT_KAFKA=1 the log is in Kafka, and its broker
// is killed, too.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { brokerDown, brokerUp } from '../../bin/kafka.ts'
import { SmallDisk } from '../small-disk.ts'
import { chaos } from './chaos.ts'

const [faults = 100, seed = 1] = process.argv.slice(2).map(Number)
const disk = SmallDisk.open('3g')
const folder = disk?.folder ?? mkdtempSync(join(tmpdir(), 'kt-chaos-'))
if (disk === undefined) console.log('no disk of its own could be mounted: it will not be filled')
const broker =
  process.env['KT_KAFKA'] === '1' ? await brokerUp(mkdtempSync(join(tmpdir(), 'kt-kafka-'))) : undefined
const die = async (): Promise<void> => {
  await brokerDown(broker!.folder, 'SIGKILL')
  await pause(500)
  await brokerUp(broker!.folder)
}
const environment = { KT_KAFKA_BROKERS: `127.0.0.1:${broker?.port}` }
const kafka = broker === undefined ? {} : { kafka: { environment, die } }
const report = await chaos({ faults, seed, folder, disk: disk !== undefined, ...kafka, say: console.log })
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
if (broker !== undefined) await brokerDown(broker.folder, 'SIGKILL')
if (disk === undefined) rmSync(folder, { recursive: true, force: true })
else disk[Symbol.dispose]()
process.exit(findings.length === 0 && unexplained === 0 ? 0 : 2)
