import { writeSync } from 'node:fs'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { codeOf, drain, from, stepOf } from './steps.ts'

/**
 * A process that can be killed: `append`: steps without end, up to 8 on their way, each said when it is
 * acknowledged. `hold`: takes the log and sits there. `read`: says each offset of `t` that it sees. `limit`:
 * appends until the disk refuses, says so, and tries again.
 */
const [mode, folder, bytes = '65536'] = process.argv.slice(2) as [string, string, string?]
const say = (line: string): void => void writeSync(1, `${line}\n`)
const log = await segmentLog(folder, { segmentBytes: Number(bytes) })

const append = async (): Promise<void> => {
  const writer = await log.write('a')
  let step = writer.last?.step ?? 0
  const flight: Promise<void>[] = []
  for (;;) {
    const next = ++step
    flight.push(
      writer.append(stepOf('a', next, ['t', 'u'], 200 + (next % 7) * 400)).then(() => say(`acked ${next}`)),
    )
    if (flight.length >= 8) await flight.shift()
  }
}

const hold = async (): Promise<void> => {
  await log.write('a')
  say('held')
  setInterval(() => undefined, 1000)
}

const read = async (): Promise<void> => {
  const reader = await log.read(from('t'))
  say('reading')
  for (;;) for (const { offset, step } of await reader.read(1 << 20, 60_000)) say(`${offset} ${step}`)
}

const limit = async (): Promise<void> => {
  process.on('SIGXFSZ', () => undefined)
  const writer = await log.write('a')
  for (let step = 1; step <= 40; step++) {
    for (;;) {
      const code = await codeOf(writer.append(stepOf('a', step, ['t'], 20_000)))
      if (code === 'no error') break
      say(`refused ${step} ${code} seen ${(await drain(await log.read(from('t')))).length}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  say(`done ${(await drain(await log.read(from('t')))).length}`)
  await log.close()
}

const modes: Readonly<Record<string, () => Promise<void>>> = { append, hold, read, limit }
await modes[mode]!()
