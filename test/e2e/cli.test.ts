import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freePort } from '../free-port.ts'
import { kt, start, temporary } from './command.ts'
import { OWN_GRAPH } from './own-graph.ts'

const BROKEN = `import { graph } from '${join(import.meta.dirname, '../../graph/index.ts')}'
export default graph('twice', (g) => { void g; throw new Error('the author made a mistake') })
`

describe('the command line', () => {
  test('prints its help without a project, a network or a run', async () => {
    const { code, out } = await kt('--help')
    expect(code).toBe(0)
    for (const command of [
      'dev',
      'graph',
      'sql',
      'topic',
      'verify',
      'doctor',
      'record',
      'replay',
      'sim',
      'notebook',
      'explain',
    ])
      expect(out).toContain(command)
  })

  test('prints its help without loading what it would do', async () => {
    using folder = temporary()
    const { code } = await start(['--help'], { NODE_V8_COVERAGE: folder.path }).ended
    expect(code).toBe(0)
    const [file] = readdirSync(folder.path)
    const { result } = JSON.parse(readFileSync(join(folder.path, file!), 'utf8')) as {
      readonly result: readonly { readonly url: string }[]
    }
    const loaded = result.map(({ url }) => url).filter((url) => url.startsWith('file:'))
    const own = loaded.filter((url) => !url.includes('/node_modules/')).map((url) => basename(url))
    expect(own.toSorted()).toEqual(['error.ts', 'main.ts', 'outcome.ts', 'part.ts', 'storage.ts'])
    expect(loaded.filter((url) => /node_modules\/(?!commander\/)/.test(url))).toEqual([])
  })

  test.each([
    [['grph'], 64, 'Did you mean graph'],
    [['sql', '--on', 'mars', 'select 1'], 64, 'is not one of clickhouse, lake'],
    [['sql', '-f', 'nowhere.sql'], 64, 'there is no query'],
    [['graph', 'show', 'nowhere.ts'], 65, 'there is no graph file'],
    [['graph', 'run', '--source', 'tape'], 64, 'is not a source'],
    [['graph', 'run', '--for', 'soon'], 64, 'is not a duration'],
    [['graph', 'run', '--source', 'replay:nowhere'], 65, 'no recording is at'],
    [['explain', 'KT0000'], 64, 'there is no error code'],
    [['replay'], 64, 'no recording is named'],
    [['record', 'nasdaq'], 64, 'there is no source'],
    [['sql', '--data', '/nonexistent/kt', 'select 1'], 1, 'error'],
  ] as const)('answers %j with code %i and a sentence', async (args, code, sentence) => {
    const ended = await kt(...args)
    expect(ended.code).toBe(code)
    expect(ended.err).toContain(sentence)
    expect(ended.out).toBe('')
  })

  test('says what, where, why and fix as one JSON document on stdout', async () => {
    const { code, out } = await kt('graph', 'show', 'nowhere.ts', '--json')
    expect(code).toBe(65)
    expect(JSON.parse(out)).toMatchObject({ ok: false, error: { code: 'KT1050', fix: [expect.any(String)] } })
  })

  test('passes over files that only help graphs, and names them, unless none has a graph', async () => {
    const [some, none] = await Promise.all([
      kt('graph', 'check', 'graph/key.ts', 'graph/candles.ts', 'graph/error.ts'),
      kt('graph', 'check', 'graph/key.ts', 'graph/error.ts'),
    ])
    expect(some).toMatchObject({
      code: 0,
      err: 'without a graph, passed over: graph/key.ts, graph/error.ts\n',
    })
    expect(some.out).toMatch(/^ok {2}graph\/candles\.ts: graph "candles", .*\n$/)
    expect(none).toMatchObject({ code: 65, out: '' })
    expect(none.err).toContain('"graph/key.ts" has no graph [KT1052]')
  })

  test('says in words what a source that is recorded does not answer, and as JSON when asked', async () => {
    using folder = temporary()
    const nobody = `127.0.0.1:${await freePort()}`
    const at = ['--for', '3s', '--out', folder.path, '--endpoint', `ws://${nobody},http://${nobody}`]
    const [words, json] = await Promise.all([
      kt('record', 'binance.spot', ...at),
      kt('record', 'binance.spot', ...at, '--json'),
    ])
    const line = /^! binance\.spot: request was refused: .*ECONNREFUSED.* \(\/api\/\S+\), again in [\d.]+ s$/
    const [first, ...lines] = words.err.trimEnd().split('\n')
    expect(first).toMatch(line)
    for (const one of lines) expect(one).toMatch(/^! binance\.spot: | {4}fix {2}/)
    expect(words.err).not.toMatch(/[{}]/)
    expect(JSON.parse(json.err.split('\n')[0]!)).toMatchObject({ what: 'request was refused', status: 0 })
    expect([words.code, json.code]).toEqual([69, 69])
  })

  test('ends quietly when its reader has seen enough', async () => {
    const { child, ended } = start(['graph', 'show', '--format', 'json'])
    child.stdout?.destroy()
    const { code, err } = await ended
    expect({ code, err }).toEqual({ code: 0, err: '' })
  })

  test('ends quietly when nobody reads what it says beside its data', async () => {
    const { child, ended } = start(['sim', '--port', '0'])
    child.stderr?.destroy()
    expect((await ended).code).toBe(0)
  })

  test('means the run before when one could not begin', async () => {
    using folder = temporary()
    const last = join(folder.path, 'last')
    writeFileSync(last, '/a/run/before')
    const where = ['--data', join(folder.path, 'run'), '--port', '0']
    const { code } = await start(['replay', join(folder.path, 'nowhere'), ...where], { KT_LAST: last }).ended
    expect(code).toBe(65)
    expect(readFileSync(last, 'utf8')).toBe('/a/run/before')
  })

  test('explains every code that an error shows', async () => {
    expect((await kt('explain', 'KT1050')).out).toMatch(/^KT1050/)
    expect(JSON.parse((await kt('explain', '1050', '--json')).out)).toMatchObject({ code: 'KT1050' })
  })

  test('names the mistake in a graph file', async () => {
    using folder = temporary()
    const file = join(folder.path, 'broken.ts')
    writeFileSync(file, BROKEN)
    const { code, err } = await kt('graph', 'check', file)
    expect(code).toBe(65)
    expect(err).toContain('the author made a mistake')
  })

  test('says where a type is wrong, as the folder in which one stands has it', () => {
    using folder = temporary()
    writeFileSync(join(folder.path, 'mistyped.ts'), `export const mistyped: number = 'one'\n${OWN_GRAPH}`)
    const main = join(import.meta.dirname, '../../cli/main.ts')
    const { status, stderr } = spawnSync(process.execPath, [main, 'graph', 'check', 'mistyped.ts'], {
      cwd: folder.path,
      encoding: 'utf8',
    })
    expect(status).toBe(65)
    expect(stderr).toContain('where  mistyped.ts(1,14)')
  })

  test('plans what would change, and says so with code 2', async () => {
    using folder = temporary()
    const { code, out } = await kt('graph', 'plan', '--data', folder.path, '--json')
    expect(code).toBe(2)
    expect(JSON.parse(out)).toMatchObject({
      graph: 'basis',
      changes: [expect.stringContaining('it has not run here')],
    })
  })

  test('draws the graph in three ways', async () => {
    expect((await kt('graph', 'show')).out).toContain('stage basis/0')
    expect((await kt('graph', 'show', '--format', 'mermaid')).out).toMatch(/^flowchart LR/)
    expect(JSON.parse((await kt('graph', 'show', '--format', 'json')).out)).toMatchObject({ graph: 'basis' })
  })
})
