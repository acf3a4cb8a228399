import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseSource } from '../../cli/source.ts'
import { openRecording } from '../../sources/driver/recording.ts'
import { kt, temporary } from '../e2e/command.ts'

const pathsOf = (text: string): readonly string[] => {
  const source = parseSource(text)
  return source.kind === 'replay' ? source.paths : []
}

describe('what --source says', () => {
  test('is the simulated exchange, the venues, or a recording', () => {
    expect([parseSource('sim').kind, parseSource('live').kind]).toEqual(['sim', 'live'])
    for (const wrong of ['', 'simulated', 'replay', 'replay:', 'replay:,'])
      expect(() => parseSource(wrong)).toThrow(/is not a source/)
  })

  test.each([
    ['replay:a.gz,b.gz', ['a.gz', 'b.gz']],
    ['replay:x/{spot,usdm}*', ['x/{spot,usdm}*']],
    ['replay:x/{a,{b,c}d}.gz,y/{e,f}', ['x/{a,{b,c}d}.gz', 'y/{e,f}']],
    ['replay:x/a}b,c', ['x/a}b', 'c']],
    [String.raw`replay:x/a\,b.gz,c`, ['x/a,b.gz', 'c']],
    [String.raw`replay:x/a\{b,c`, [String.raw`x/a\{b`, 'c']],
    ['replay:x/🦀,{y,z}', ['x/🦀', '{y,z}']],
  ])('parts %s at commas outside braces', (text, paths) => {
    expect(pathsOf(text)).toEqual(paths)
  })

  test('finds the files that a shell would', async () => {
    using folder = temporary()
    const names = [
      'spot_1.jsonl',
      'spot_2.jsonl',
      'usdm_1.jsonl',
      'coinm_1.jsonl',
      'a,b.jsonl',
      'c{d,e}.jsonl',
    ]
    mkdirSync(join(folder.path, 'deep'))
    for (const name of [...names, 'deep/spot_3.jsonl', 'deep/notes.txt'])
      writeFileSync(join(folder.path, name), '')
    const found = async (...patterns: readonly string[]): Promise<readonly string[]> => {
      const paths = pathsOf(`replay:${patterns.map((pattern) => join(folder.path, pattern)).join(',')}`)
      const { files } = await openRecording({ paths, sources: [] })
      return files.map((file) => basename(file))
    }
    expect(await found('{spot,usdm}*')).toEqual(['spot_1.jsonl', 'spot_2.jsonl', 'usdm_1.jsonl'])
    expect(await found('{spot_{1,2},coinm_?}.jsonl')).toEqual([
      'coinm_1.jsonl',
      'spot_1.jsonl',
      'spot_2.jsonl',
    ])
    expect(await found('**/spot_*')).toEqual(['spot_3.jsonl', 'spot_1.jsonl', 'spot_2.jsonl'])
    expect(await found('usdm_1.jsonl', 'spot_[12].jsonl')).toEqual([
      'spot_1.jsonl',
      'spot_2.jsonl',
      'usdm_1.jsonl',
    ])
    expect(await found('deep')).toEqual(['spot_3.jsonl'])
    expect(await found('c{d,e}.jsonl', String.raw`a\,b.jsonl`)).toEqual(['a,b.jsonl', 'c{d,e}.jsonl'])
    await expect(found('none{1,2}')).rejects.toThrow(/no recording is at ".*none\{1,2\}"/)
  })
})

describe('a run on the simulated exchange', () => {
  test('refuses a source that the exchange does not imitate, and opens no address', async () => {
    using folder = temporary()
    let calls = 0
    const server = createServer((socket) => {
      calls += 1
      socket.destroy()
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    const { port } = server.address() as AddressInfo
    const root = join(import.meta.dirname, '../..')
    const file = join(folder.path, 'mine.ts')
    writeFileSync(
      file,
      `
import { graph, topic } from '${root}/graph/index.ts'
import { byPair, ticker } from '${root}/market/index.ts'
import { normalize } from '${root}/operators/index.ts'
import { binance } from '${root}/sources/index.ts'
import { venue } from '${root}/sources/venue.ts'
const { market } = binance.spot
const mine = venue({
  ...market,
  name: 'mine.spot',
  socket: { ...market.socket, base: 'ws://127.0.0.1:${port}' },
  rest: { ...market.rest, base: 'http://127.0.0.1:${port}' },
})
export default graph('mine', (g) => {
  const { ticker: frames } = g.source(mine, { universe: { top: 1 }, channels: ['ticker'], keep: byPair })
  frames.via(normalize(ticker)).through(topic('ticker', { schema: ticker, key: byPair }))
})
`,
    )
    const where = ['--data', join(folder.path, 'run'), '--port', '0', '--for', '2s']
    const { code, err } = await kt('graph', 'run', file, '--source', 'sim', ...where)
    const planned = await kt('graph', 'plan', file, '--source', 'sim')
    expect([planned.code, planned.err.includes('KT6410')]).toEqual([64, true])
    expect((await kt('graph', 'plan', file, '--source', 'live')).code).toBe(2)
    server.close()
    expect(err).toMatch(/the simulated exchange has no source "mine.spot" \[KT6410\]/)
    expect(err).toMatch(/It has binance.spot, binance.usdm, bybit.linear, bybit.spot/)
    expect(err).toMatch(/--source live or --source replay:PATH/)
    expect([code, calls]).toEqual([64, 0])
  })
})
