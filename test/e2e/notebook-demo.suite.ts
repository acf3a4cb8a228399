import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { inflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readNotebook } from '../../cli/notebook/document.ts'
import type { Bundle } from '../../cli/notebook/document.ts'
import { kt, killTree, start, temporary } from './command.ts'

const notebooks = join(import.meta.dirname, '../../notebooks')
const folder = temporary()
const data = ['--data', join(folder.path, 'run')]
const mine = join(notebooks, `tried-${process.pid}.ipynb`)

/** What the run said, and what `kt verify` said while it went on. */
let ran: { readonly code: number; readonly err: string }
let meanwhile: { readonly code: number; readonly out: string }

/** Spreads in the lake of which both legs are proven. */
const spreads = async (): Promise<number> => {
  const query = "select count(*) as n from basis where state = 'live'"
  const { out } = await kt('sql', '--on', 'lake', '--json', query, ...data)
  return out.startsWith('[') ? (JSON.parse(out) as { n: number }[])[0]!.n : 0
}

// Some 25 s where the machine has nothing else to do: until there is enough to be drawn.
beforeAll(async () => {
  const { child, ended } = start(['dev', '--port', '0', '--rate', '2000', '--pairs', '20', ...data])
  try {
    await pause(25_000)
    for (const until = Date.now() + 120_000; (await spreads()) < 4000 && Date.now() < until;)
      await pause(2000)
    meanwhile = await kt('verify', '--json', ...data)
    process.kill(child.pid!, 'SIGINT')
    ran = await ended
  } finally {
    killTree(child)
  }
}, 300_000)
afterAll(() => {
  folder[Symbol.dispose]()
  rmSync(mine, { force: true })
})

const bundlesOf = (file: string): readonly Bundle[] =>
  readNotebook(file).cells.flatMap((cell) =>
    (cell.outputs ?? []).flatMap((output) => (output.output_type === 'stream' ? [] : [output.data])),
  )
const textOf = (text: string | readonly string[] | undefined): string => [text ?? ''].flat().join('')

/** How many pixels of a picture have each colour, as `#rrggbb`. Plain 8-bit RGBA, as our charts are. */
const colorsOf = (png: Buffer): ReadonlyMap<string, number> => {
  const width = png.readUInt32BE(16)
  const parts: Buffer[] = []
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
  const raw = inflateSync(Buffer.concat(parts))
  const stride = 4 * width
  const above = Buffer.alloc(stride)
  const counts = new Map<string, number>()
  for (let from = 0; from < raw.length; from += stride + 1) {
    const line = raw.subarray(from + 1, from + 1 + stride)
    for (let i = 0; i < stride; i++) {
      const [left, up, corner] = [i < 4 ? 0 : line[i - 4]!, above[i]!, i < 4 ? 0 : above[i - 4]!]
      line[i] = (line[i]! + predicted(raw[from]!, left, up, corner)) & 255
      if (i % 4 !== 3) continue
      const color = `#${line.toString('hex', i - 3, i)}`
      counts.set(color, (counts.get(color) ?? 0) + 1)
    }
    line.copy(above)
  }
  return counts
}

/** https://www.w3.org/TR/png-3/#9Filters */
const predicted = (filter: number, left: number, up: number, corner: number): number => {
  if (filter === 1) return left
  if (filter === 2) return up
  if (filter === 3) return (left + up) >> 1
  if (filter !== 4) return 0
  const estimate = left + up - corner
  const [a, b, c] = [left, up, corner].map((one) => Math.abs(estimate - one)) as [number, number, number]
  return a <= b && a <= c ? left : b <= c ? up : corner
}

describe('after the demo', () => {
  test('it has run, and kt verify compared what its sinks had while it went on', () => {
    expect(ran.err).not.toContain('error')
    expect(ran.code).toBe(0)
    const { ok, running, topics } = JSON.parse(meanwhile.out) as {
      readonly ok: boolean
      readonly running: number
      readonly topics: readonly { readonly topic: string; readonly clickhouse?: number }[]
    }
    expect(meanwhile.code).toBe(0)
    expect(ok).toBe(true)
    expect(running).toBeGreaterThan(0)
    expect(topics.find(({ topic }) => topic === 'trade')!.clickhouse).toBeGreaterThan(100)
  })

  test('funding-carry.ipynb runs over its lake: rows in every table, lines in every chart, no NaN', async () => {
    const before = readFileSync(join(notebooks, 'funding-carry.ipynb'))
    const out = join(folder.path, 'carry.ipynb')
    const { code, err } = await kt(
      'notebook',
      'run',
      join(notebooks, 'funding-carry.ipynb'),
      '--out',
      out,
      ...data,
    )
    expect({ code, err: /error/.test(err) }).toEqual({ code: 0, err: false })
    expect(readFileSync(join(notebooks, 'funding-carry.ipynb'))).toEqual(before)

    const bundles = bundlesOf(out)
    const tables = bundles
      .filter((one) => one['text/html'] !== undefined)
      .map((one) => textOf(one['text/plain']))
    expect(tables).toHaveLength(3)
    for (const table of tables) expect(table.trim().split('\n').length).toBeGreaterThan(1)
    expect(tables[0]).toMatch(/^pairs\tvenues\t.*\n20\t2\t/)
    expect(tables[1]!.trim().split('\n')).toHaveLength(11)
    const answer = Number(textOf(bundles.at(-1)!['text/plain']))
    expect(Number.isFinite(answer)).toBe(true)
    expect(tables.join()).not.toMatch(/NaN|Infinity|undefined|null/)

    const charts = bundles.flatMap((one) => one['image/png'] ?? [])
    expect(charts).toHaveLength(2)
    for (const chart of charts) {
      const colors = colorsOf(Buffer.from(textOf(chart), 'base64'))
      // More than the hundred that the legend has: both venues are drawn.
      for (const line of ['#0969da', '#bc4c00']) expect(colors.get(line) ?? 0).toBeGreaterThan(300)
    }
  })

  test('--check says with code 2 that a value is another, and writes nothing', async () => {
    const file = join(folder.path, 'checked.ipynb')
    copyFileSync(join(notebooks, 'funding-carry.ipynb'), file)
    const text = readFileSync(file, 'utf8').replace("'./kt.ts'", `'${join(notebooks, 'kt.ts')}'`)
    writeFileSync(file, text)
    const { code, out } = await kt('notebook', 'run', '--check', file, ...data)
    expect(out).toMatch(/! cell 12: expected 320.86, found -?[\d.]+\n/)
    expect(code).toBe(2)
    expect(readFileSync(file, 'utf8')).toBe(text)
  })

  test('a cell that throws ends with code 1, with --check and without', async () => {
    const file = join(folder.path, 'broken.ipynb')
    const cell = { cell_type: 'code', id: 'a', metadata: {}, source: 'throw new Error("no")', outputs: [] }
    writeFileSync(file, JSON.stringify({ cells: [cell], metadata: {}, nbformat: 4, nbformat_minor: 5 }))
    for (const flags of [[], ['--check']]) {
      const { code, err } = await kt('notebook', 'run', file, ...flags, ...data)
      expect(code).toBe(1)
      expect(err).toContain('KT6502')
    }
  })

  test('a new notebook runs as it is, is checked, and becomes a page', async () => {
    const name = mine.slice(notebooks.length + 1, -'.ipynb'.length)
    expect(await kt('notebook', 'new', name)).toMatchObject({ code: 0 })
    expect(await kt('notebook', 'new', name)).toMatchObject({
      code: 1,
      err: expect.stringContaining('KT6506'),
    })
    expect((await kt('notebook', 'check', mine)).err).toBe('')
    const run = await kt('notebook', 'run', mine, ...data)
    expect(run.err).not.toContain('error')
    expect(await kt('notebook', 'run', '--check', mine, ...data)).toMatchObject({ code: 0 })
    const page = join(folder.path, 'page.html')
    expect(await kt('notebook', 'render', mine, '--out', page)).toMatchObject({ code: 0, out: `${page}\n` })
    expect(existsSync(page)).toBe(true)
    expect(readFileSync(page, 'utf8')).toContain('data:image/png;base64,')
    expect((await kt('notebook', 'list', notebooks)).out).toContain(name)
  }, 120_000)
})
