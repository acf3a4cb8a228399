import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startSim } from '../../sources/driver/sim-server.ts'
import { parseFaults } from '../../sources/sim/fault.ts'
import { kt, temporary } from './command.ts'

test('a recording ends when its time is over, says what to do next, and that works', async () => {
  using folder = temporary()
  const names = ['binance.spot', 'binance.usdm', 'bybit.linear', 'bybit.spot']
  const sim = await startSim({
    seed: 1,
    pairs: 2,
    rate: 300,
    faults: parseFaults('none'),
    ports: Object.fromEntries(names.map((name) => [name, 0])),
  })
  const tape = join(folder.path, 'tape')
  const { socket, rest } = sim.endpoints['binance.spot']!
  const recorded = await kt(
    'record',
    'binance.spot',
    '--for',
    '4s',
    '--out',
    tape,
    '--endpoint',
    `${socket},${rest}`,
  )
  await sim.stop()
  expect(recorded.code, recorded.err).toBe(0)
  expect(recorded.out).toMatch(/^[1-9]\d* messages, \d+ bytes, 1 file in /)
  expect(recorded.err).toContain(`next:  bin/kt replay ${tape}`)

  const data = ['--data', join(folder.path, 'run')]
  const replayed = await kt('replay', tape, ...data)
  expect(replayed.code, replayed.err).toBe(0)
  const list = await kt('topic', 'ls', ...data)
  expect(list.out).toMatch(/^topic +partition +first +next +rows +size\n/)
  expect(list.out).toMatch(/^trade +0 +0 +\d+ +[1-9]\d* +[\d.]+ kB$/m)
  expect(list.out).toMatch(/^candle +/m)
  const doctor = await kt('doctor', ...data)
  expect(doctor.out).toMatch(/✓ run +graph basis on replay:.*, ended/)
  expect(doctor.out).toMatch(/✓ lake +\d+ tables, [1-9]\d* rows/)
}, 120_000)
