import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { folder, nothingRuns } from './bad-run.ts'
import { kt } from './command.ts'

describe('a run that cannot begin', () => {
  test('for its port names it, what to do, and leaves nothing running', async () => {
    const data = folder()
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((listening) => server.once('listening', listening))
    const { port } = server.address() as AddressInfo
    const { code, err } = await kt('dev', '--data', data, '--pairs', '2', '--port', String(port))
    server.close()
    expect([code, err]).toEqual([
      1,
      expect.stringContaining(`port ${port} for the embedded ClickHouse is taken [KT5203]`),
    ])
    expect(err).toMatch(/fix {4}Choose another port/)
    await nothingRuns(data)
  })

  test.each([
    [['dev', '--prot', '1'], 64, /unknown option '--prot'\n\(Did you mean --port\?\)/],
    [['dev', 'grahp/basis.ts'], 65, /there is no graph file "grahp\/basis.ts" \[KT1050\][^]*fix/],
    [['dev', 'cli/settings.ts'], 65, /has no graph \[KT1052\][^]*fix/],
    [['dev', '--faults', 'crool'], 64, /no fault is called "crool"[^]*fix/],
    [
      ['dev', '--data', 'package.json/run'],
      1,
      /the data folder refused a write \(ENOTDIR\) \[KT5005\][^]*fix/,
    ],
    [['dev', '--data', '/proc/kt/run'], 1, /refused a write \(ENOENT\) \[KT5005\][^]*No folder can be made/],
    [['record', 'binance.spot', '--out', '/proc/kt'], 1, /\[KT5005\][^]*--out/],
  ] as const)('%j: code %i', async (args, code, sentence) => {
    const ended = await kt(...args)
    expect([ended.code, ended.err]).toEqual([code, expect.stringMatching(sentence)])
  })
})
