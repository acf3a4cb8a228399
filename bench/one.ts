// Runs one goal in this process, and sends its results to the parent: `node bench/one.ts columns.ts
// [--quick]`.
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { joinHotCode } from '../runtime/driver/engine.ts'
import type { Result } from './goal/result.ts'

// As a shard does; so all that run in this process have it.
joinHotCode()

const [file = ''] = process.argv.slice(2)
const exported = (await import(pathToFileURL(join(import.meta.dirname, 'goal', file)).href)) as Readonly<
  Record<string, unknown>
>
const goal = Object.values(exported).find((one) => one?.constructor.name === 'AsyncFunction') as
  ((quick: boolean) => Promise<readonly Result[]>) | undefined
if (goal === undefined) throw new Error(`bench/goal/${file} exports no async function`)
const results = await goal(process.argv.includes('--quick'))
if (process.send === undefined) console.log(results)
else await new Promise((sent) => process.send!(results, sent))
// A peer's threads and timers do not keep the process.
process.exit(0)
