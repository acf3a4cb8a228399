import { join } from 'node:path'
import { loadEngine } from '../../sinks/driver/chdb-engine.ts'
import { watchWrites } from '../../sinks/driver/chdb-writes.ts'
import { SmallDisk } from '../small-disk.ts'

/** The engine on a disk that becomes full, in a process of its own: it prints what is said of its writes. */
const disk = new SmallDisk(process.argv[2]!)
const engine = loadEngine()
const root = engine.open(join(disk.folder, 'engine'))
root.set('CREATE DATABASE kt ENGINE = Atomic')
const say = (word: string): void => void process.stdout.write(`${word}\n`)
const writes = watchWrites(engine.open(join(disk.folder, 'engine')), disk.folder, () => say('damaged'))
const said = async (what: () => void | Promise<void>): Promise<string> => {
  try {
    await what()
    return 'well'
  } catch (thrown) {
    return String(thrown).replace(/^Error: /, '')
  }
}
root.set('CREATE TABLE kt.before (x Int64) ENGINE = MergeTree ORDER BY x')
say(await said(writes.room))
say(await said(writes.sound))
disk.leave(0)
say(await said(writes.room))
// The engine's fault: nothing of it was written, and it does not say so.
say(await said(() => root.set('CREATE TABLE kt.full (x Int64) ENGINE = MergeTree ORDER BY x')))
disk.free()
say(await said(writes.room))
say(await said(writes.sound))
say(await said(writes.sound))
process.kill(process.pid, 'SIGKILL')
