import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { freePort } from '../free-port.ts'
import { foldersOf, writeRun } from '../../cli/settings.ts'
import { Columns } from '../../graph/columns.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import { trade } from '../../market/event.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { start, temporary } from '../e2e/command.ts'

const FROM = 1_770_000_000_000_000

/** A record of as many trades, numbered from `first` on. */
const recordOf = (first: number, rows: number) => {
  const columns = new Columns(logged(trade))
  for (let id = first; id < first + rows; id++)
    columns.add({
      venue: 'binance',
      instrument: 'binance:spot:BTC-USDT',
      time: FROM + id,
      received: FROM + id,
      first: id,
      last: id,
      id: String(id),
      side: 'buy',
      price: 100,
      size: 1,
    })
  return { topic: 'trade', partition: 0, schema: schemaId(trade), ...columns.take() }
}

/** A run whose log is written while `kt topic tail` reads it; what that printed, as ids. */
const tailed = async (flags: readonly string[], steps: number, everyMs: number) => {
  using folder = temporary()
  const folders = foldersOf(folder.path)
  writeRun(folder.path, { graph: 'basis', file: 'graph/basis.ts', source: 'sim', plan: {} })
  const log = await segmentLog(folders.log)
  const writer = await log.write('basis/0/0')
  const append = (step: number): Promise<unknown> =>
    writer.append({ shard: 'basis/0/0', step, time: FROM, inputs: [], records: [recordOf(3 * step, 3)] })
  for (let step = 1; step <= 4; step++) await append(step)
  const { child, ended } = start(['topic', 'tail', 'trade', '--data', folder.path, ...flags])
  let out = ''
  child.stdout!.on('data', (text: string) => (out += text))
  const begun = Date.now()
  while (steps > 0 && out === '' && Date.now() - begun < 20_000) await pause(20)
  for (let step = 5; step < 5 + steps; step++) {
    await append(step)
    await pause(everyMs)
  }
  const busy = out
  if (steps > 0) child.kill('SIGINT')
  const { out: whole } = await ended
  await writer.close()
  await log.close()
  const idsOf = (text: string): readonly number[] =>
    text.split('\n').flatMap((line) => (line === '' ? [] : [Number((JSON.parse(line) as { id: string }).id)]))
  return { busy: idsOf(busy), whole: idsOf(whole) }
}

describe('the rows of a topic in the terminal', () => {
  test('are the newest ones, as many as are asked for', async () => {
    expect((await tailed(['-n', '4'], 0, 0)).whole).toEqual([11, 12, 13, 14])
    expect((await tailed(['-n', '0'], 0, 0)).whole).toEqual([])
  })

  test('go on as they come, each of them, also where the topic is never quiet', async () => {
    const { busy, whole } = await tailed(['-n', '2', '-f'], 40, 25)
    expect(whole).toEqual([13, 14, ...Array.from({ length: 120 }, (_, i) => 15 + i)])
    expect(busy.length).toBeGreaterThan(60)
  })
})

test.each(['topic ls', 'topic tail trade', 'lag', 'dlq replay', 'doctor'])(
  'kt %s says that Kafka is away as soon as it does not answer',
  async (asked) => {
    const command = asked.split(' ')
    using folder = temporary()
    const kafka = { brokers: `127.0.0.1:${await freePort()}`, prefix: 'basis.', tls: false, retentionMs: 1 }
    writeRun(folder.path, { graph: 'basis', file: 'graph/basis.ts', source: 'sim', plan: {}, kafka })
    const { code, out, err } = await start([...command, '--data', folder.path, '--json']).ended
    expect(code, err).not.toBe(0)
    // Its library says only, after half a minute, that its transport failed.
    expect(out).toMatch(command[0] === 'doctor' ? 'did not answer' : /KT3031[^]*ECONNREFUSED/)
  },
)
