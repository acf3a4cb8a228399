import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkNotebook } from '../../cli/notebook/check.ts'
import { readNotebook, writeNotebook } from '../../cli/notebook/document.ts'
import type { Output } from '../../cli/notebook/document.ts'
import { NOWHERE, runNotebook } from '../../cli/notebook/run.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { writeMarketLake } from '../market-lake.ts'

const carry = join(import.meta.dirname, '../../notebooks/funding-carry.ipynb')
const folder = mkdtempSync(join(tmpdir(), 'kt-notebook-'))
const lake = join(folder, 'lake')
beforeAll(() => writeMarketLake(fileStore(lake), 24), 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
/** A notebook of these cells; the path. */
const book = (...sources: readonly string[]): string => {
  const path = join(folder, `book-${count++}.ipynb`)
  const cells = sources.map((source, i) => ({
    cell_type: 'code' as const,
    id: `c${i}`,
    metadata: {},
    source,
    outputs: [],
  }))
  writeNotebook(path, { cells, metadata: {} })
  return path
}
/** What the cells have put out, as text. */
const outputs = (path: string): readonly (readonly string[])[] =>
  readNotebook(path).cells.map((cell) => (cell.outputs ?? []).map(textOf))
const textOf = (output: Output): string => {
  const text =
    output.output_type === 'stream'
      ? output.text
      : (output.data['text/plain'] ?? Object.keys(output.data).join())
  return Array.isArray(text) ? text.join('') : text
}
const ran = async (...sources: readonly string[]): Promise<readonly (readonly string[])[]> => {
  const path = book(...sources)
  await runNotebook(path, { lake })
  return outputs(path)
}

describe('cells', () => {
  test('share what they declare, destructured and declared anew', async () => {
    expect(
      await ran(
        'const { a, b: [c, ...rest], ...others } = { a: 1, b: [2, 3, 4], d: 5 }, later = 6\nlet empty',
        '[a, c, rest, others, later, empty]',
        'const a = 10\nconst grow = (): number => a + later',
        'const later = 100\ngrow()',
      ),
    ).toEqual([[], ['[ 1, 2, [ 3, 4 ], { d: 5 }, 6, undefined ]'], [], ['110']])
  })

  test('declare nothing outside of the notebook', async () => {
    const before = Object.keys(globalThis)
    await ran(
      'const one = 1, { two } = { two: 2 }\nfunction three() {}\nclass Four {}',
      "import five from 'node:path'\nfive.sep",
    )
    expect(Object.keys(globalThis)).toEqual(before)
  })

  test('call functions that stand below, and classes of cells before', async () => {
    expect(
      await ran(
        'early(2)\nfunction early(n: number): number { return n * 2 }\nclass Box<T> {\n  constructor(readonly of: T) {}\n}',
        'new Box(early(4)).of',
      ),
    ).toEqual([[], ['8']])
  })

  test('give the value of the last expression, over however many lines', async () => {
    expect(
      await ran(
        'const list = [1, 2, 3]\nlist\n  .map((n) => n * 2)\n  .filter(\n    (n) => n > 2,\n  );',
        'await Promise.resolve("done") // and a comment',
        'if (list.length > 9) list',
      ),
    ).toEqual([['[ 4, 6 ]'], ['done'], []])
  })

  test('import what is beside the notebook, what is installed, and what is in Node', async () => {
    writeFileSync(join(folder, 'beside.ts'), 'export const seven: number = 7\nexport default "whole"\n')
    expect(
      await ran(
        "import whole, { seven as n } from './beside.ts'\nimport * as path from 'node:path'",
        '[whole, n, path.basename("/x/y")]',
      ),
    ).toEqual([[], ["[ 'whole', 7, 'y' ]"]])
  })

  test('show what they log and display, in order', async () => {
    expect(
      await ran(
        'console.log("one", { two: 2 })\nconsole.log("three")\ndisplay("four")\nconsole.warn("five")\n6',
      ),
    ).toEqual([['one { two: 2 }\nthree\n', 'four', 'five\n', '6']])
  })

  test('that throw are named with their line, and nothing is written', async () => {
    const path = book(
      'const fine = 1',
      '// a comment\nconst x: { y?: { z: number } } = {}\n\nconst f = (): number =>\n  x.y!.z\nf()',
    )
    const before = readFileSync(path, 'utf8')
    const error = await runNotebook(path, { lake }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'KT6502',
      message: expect.stringMatching(/^cell 2 of .* failed: Cannot read/),
      facts: { cell: 2, line: 5 },
    })
    expect((error as { where: string }).where).toContain('line 5: x.y!.z')
    expect(readFileSync(path, 'utf8')).toBe(before)
    await expect(runNotebook(book('const a = 1\nconst b = = 2'))).rejects.toMatchObject({
      code: 'KT6502',
      facts: { cell: 1, line: 2 },
    })
  })

  test('that expect a value are compared to the digits that are written', async () => {
    const path = book('1 / 3\n// expect: 0.333', '"BTC"\n// expect: BTC')
    const run = await runNotebook(path, { out: NOWHERE })
    expect(run.expectations.map(({ holds }) => holds)).toEqual([true, true])
    const moved = await runNotebook(book('2 / 3\n// expect: 0.666'), { out: NOWHERE })
    expect(moved.expectations).toEqual([{ cell: 1, expected: '0.666', found: '0.667', holds: false }])
    expect(outputs(path)).toEqual([[], []])
  })
})

describe('types', () => {
  test('of cells are checked, in the cell and line where they stand', () => {
    const path = book(
      "import { basename } from 'node:path'\nconst rows = [basename('a')]",
      'const rows = [1, 2]\nrows.length',
      '// why\nrows.lenght',
      'const n: string = rows[0]',
    )
    expect(checkNotebook(withProject(path)).map(({ cell, line, code }) => [cell, line, code])).toEqual([
      [3, 2, 'TS2551'],
      [4, 1, 'TS2322'],
    ])
  }, 60_000)

  test("of cells in nobody's project are checked by kt's own rules, and nothing is left there", () => {
    const alone = mkdtempSync(join(tmpdir(), 'kt-notebook-alone-'))
    const path = join(alone, 'mine.ipynb')
    copyFileSync(
      book(
        "import { basename } from 'node:path'\nconst names = ['a'].map((one) => basename(one))",
        'names[0].length',
      ),
      path,
    )
    const found = checkNotebook(path)
    expect(found.map(({ cell, line, code }) => [cell, line, code])).toEqual([[2, 1, 'TS2532']])
    expect(readdirSync(alone)).toEqual(['mine.ipynb'])
    rmSync(alone, { recursive: true })
  }, 60_000)

  test('of the notebook that ships are right', () => {
    expect(checkNotebook(carry)).toEqual([])
  }, 60_000)
})

/** The notebook within a project with strict settings. */
const withProject = (path: string): string => {
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { strict: true, module: 'nodenext', target: 'es2024', types: [] } }),
  )
  const text = readFileSync(path, 'utf8').replace(
    "import { basename } from 'node:path'",
    'const basename = (s: string): string => s',
  )
  writeFileSync(path, text)
  return path
}

/** The pictures of a notebook, as it stores them. */
const pictures = (path: string): readonly string[] =>
  readNotebook(path).cells.flatMap((cell) =>
    (cell.outputs ?? []).flatMap((output) =>
      output.output_type === 'stream' ? [] : [output.data['image/png'] ?? []].flat(),
    ),
  )

describe('funding-carry.ipynb', () => {
  test('gives its number on the lake that the tests write, and the outputs that are committed', async () => {
    const made = join(import.meta.dirname, '../../notebooks', `.made-${process.pid}.ipynb`)
    try {
      const { expectations } = await runNotebook(carry, { lake, out: made })
      expect(expectations.map(({ holds }) => holds)).toEqual([true])
      // KT_UPDATE=1 takes what was made for what is committed.
      if (process.env['KT_UPDATE'] === '1') copyFileSync(made, carry)
      expect(outputs(made)).toEqual(outputs(carry))
      expect(pictures(made)).toHaveLength(2)
      // The same font everywhere, so the same picture; rounding is that of one kind of processor.
      if (process.arch === 'x64') expect(pictures(made)).toEqual(pictures(carry))
    } finally {
      rmSync(made, { force: true })
    }
  }, 60_000)

  const python = process.env['KT_PYTHON'] ?? 'python3'
  const importable = spawnSync(python, ['-c', 'import duckdb, deltalake, pandas, pytz']).status === 0

  test.skipIf(!importable)(
    'has a twin in Python that reads the same lake and gives the same number (skipped unless KT_PYTHON can)',
    () => {
      const twin = join(import.meta.dirname, '../../notebooks/funding-carry.py')
      const { stdout, stderr } = spawnSync(python, [twin], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, KT_LAKE: lake },
      })
      expect(stderr).toBe('')
      expect(stdout).toMatch(/^answer 320\.86$/m)
    },
    60_000,
  )

  test('says over a lake without its rows what to do', async () => {
    const nothing = join(folder, 'nothing')
    await expect(runNotebook(carry, { lake: nothing, out: NOWHERE })).rejects.toMatchObject({
      code: 'KT6502',
      message: expect.stringContaining('this lake has no funding: run graph/basis.ts'),
      fix: expect.stringContaining('--data'),
    })
  }, 60_000)

  test('asks with parameters that cannot end the question', async () => {
    const kt = join(import.meta.dirname, '../../notebooks/kt.ts')
    const [, shown] = await ran(
      `import { sql } from '${kt}'`,
      'await sql`select ${"it\'s; drop"} as text, ${7} as n, ${null} as nothing, ${new Date(0)} as time`',
    )
    expect(shown).toEqual(["text\tn\tnothing\ttime\nit's; drop\t7\t\t1970-01-01 00:00:00"])
  }, 60_000)
})
