import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Who may import whom. A folder may always import itself. */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  graph: [],
  market: ['graph'],
  operators: ['graph', 'market'],
  sources: ['graph', 'market'],
  sinks: ['graph', 'market'],
  runtime: ['graph'],
  deploy: ['graph', 'runtime'],
  cli: ['graph', 'market', 'operators', 'sources', 'sinks', 'runtime', 'deploy', 'notebooks'],
}

/** A graph file is written in the language and stands beside it, so it may name what it wires. */
const GRAPH_FILES = ['graph/basis.ts', 'graph/ticker-basis.ts', 'graph/candles.ts']
const GRAPH_FILE_MAY = ['graph', 'market', 'operators', 'sources', 'sinks']

/** What would make a run depend on more than its inputs. Only drivers and the command line may. */
const IMPURE: readonly (readonly [RegExp, string])[] = [
  [
    /\bDate\.now\(|new Date\(\)|performance\.now\(/,
    'the clock comes through a port, so that a replay sees the same time',
  ],
  [/\bMath\.random\(|randomUUID/, 'randomness comes from the seed, so that a run can be repeated'],
  [/\bset(Timeout|Interval|Immediate)\(/, 'timers come from the Clock port, so that virtual time works'],
  [/\bprocess\.(env|exit|argv)/, 'settings are passed in'],
  [/from '(?!\.)/, 'packages and node: belong in a driver folder, so that the core runs anywhere'],
]

/** Nowhere. */
const BANNED: readonly (readonly [RegExp, string])[] = [
  [/@ts-ignore|@ts-nocheck/, 'find the type'],
  [/\b(TODO|FIXME|XXX)\b/, 'do it, or write it in the closing note'],
]

/** Where types are erased on purpose. */
const ANY = ['graph/graph.ts', 'runtime/stage.ts']

/** Named kernels may be longer than 60 lines, up to 120; each with its reason. */
const KERNELS: Readonly<Record<string, string>> = {}

const FORBIDDEN_NAMES = /^(utils?|helpers?|common|types|misc|shared|base-.*|.*-manager)\.ts$/

const all = globSync(Object.keys(FLOORS).map((floor) => `${floor}/**/*.ts`)).filter(
  (file) => !file.includes('node_modules'),
)
const files = all.map((file) => ({ file, floor: file.split('/')[0]!, text: readFileSync(file, 'utf8') }))
const pure = (file: string): boolean => !/(^|\/)driver\//.test(file) && !file.startsWith('cli/')
const importsOf = (file: string, text: string): readonly string[] =>
  [...text.matchAll(/from '(\.[^']+)'|import\('(\.[^']+)'\)/g)].map((match) =>
    normalize(join(dirname(file), match[1] ?? match[2]!)),
  )

describe('the house', () => {
  test('every import goes down', () => {
    const wrong = files.flatMap(({ file, floor, text }) =>
      importsOf(file, text).flatMap((target) => {
        const to = target.split('/')[0]!
        const may = GRAPH_FILES.includes(file) ? GRAPH_FILE_MAY : FLOORS[floor]!
        return to === floor || may.includes(to) || !(to in FLOORS) ? [] : [`${file} may not import ${target}`]
      }),
    )
    expect(wrong).toEqual([])
  })

  test('pure code has no clock, randomness, timers, settings or packages', () => {
    const wrong = files
      .filter(({ file }) => pure(file))
      .flatMap(({ file, text }) =>
        IMPURE.flatMap(([pattern, why]) =>
          pattern.test(withoutComments(text)) ? [`${file} matches ${pattern.source}: ${why}`] : [],
        ),
      )
    expect(wrong).toEqual([])
  })

  test('pure code does not import a driver', () => {
    const wrong = files
      .filter(({ file }) => pure(file) && !GRAPH_FILES.includes(file))
      .flatMap(({ file, text }) =>
        importsOf(file, text).flatMap((target) =>
          target.includes('/driver/') ? [`${file} imports ${target}`] : [],
        ),
      )
    expect(wrong).toEqual([])
  })

  test('the simulated exchange shares nothing with the sources it imitates', () => {
    const wrong = files
      .filter(({ file }) => file.startsWith('sources/sim/'))
      .flatMap(({ file, text }) =>
        importsOf(file, text).flatMap((target) =>
          target.startsWith('sources/sim/') ? [] : [`${file} imports ${target}`],
        ),
      )
    expect(wrong).toEqual([])
  })

  test('nothing is silenced', () => {
    const wrong = files.flatMap(({ file, text }) =>
      BANNED.flatMap(([pattern, why]) =>
        pattern.test(text) ? [`${file} matches ${pattern.source}: ${why}`] : [],
      ),
    )
    const erased = files.flatMap(({ file, text }) =>
      ANY.includes(file) || !/[:<(|] ?any\b|\bas any\b/.test(withoutComments(text))
        ? []
        : [`${file} says any`],
    )
    expect([...wrong, ...erased]).toEqual([])
  })

  // Both write code for a table that a user declares: a mapping, and the columns of a schema.
  test('new Function stands in the mapping compiler and in the columns of a batch alone', () => {
    expect(
      files
        .filter(({ file, text }) => /new Function\(/.test(text) && !/^(sources\/mapping\/|graph\/waiting)/.test(file))
        .map(({ file }) => file),
    ).toEqual([])
  })

  test('files have at most 300 lines of at most 110 characters, and honest names', () => {
    const wrong = files.flatMap(({ file, text }) => {
      const lines = text.split('\n')
      const long = lines.findIndex((line) => [...line].length > 110)
      return [
        ...(lines.length > 301 ? [`${file} has ${lines.length - 1} lines`] : []),
        ...(long < 0 ? [] : [`${file}:${long + 1} has ${lines[long]!.length} characters`]),
        ...(FORBIDDEN_NAMES.test(basename(file)) ? [`${file} is a grab bag`] : []),
      ]
    })
    expect(wrong).toEqual([])
  })

  test('functions have at most 60 lines, named kernels 120', () => {
    expect(files.flatMap(({ file, text }) => longFunctions(file, text))).toEqual([])
  })

  test('nothing is exported that nobody imports', () => {
    const users = globSync([
      '{graph,market,operators,sources,sinks,runtime,deploy,cli,sql,notebooks,bench,test,bin}/**/*.{ts,ipynb}',
    ]).map((file) => ({ file, text: readFileSync(file, 'utf8') }))
    const dead = files
      .filter(({ file }) => !file.endsWith('/index.ts') && !GRAPH_FILES.includes(file))
      .flatMap(({ file, text }) =>
        [...text.matchAll(/^export (?:const|function|class|async function) (\w+)/gm)].flatMap(([, name]) =>
          users.some((user) => user.file !== file && new RegExp(`\\b${name}\\b`).test(user.text))
            ? []
            : [`${file} exports ${name}`],
        ),
      )
    expect(dead).toEqual([])
  })

  test('every error code is explained, and every explanation has its code', () => {
    const used = new Set(
      files.flatMap(({ text }) => (text.match(/'KT\d{4}'/g) ?? []).map((code) => code.slice(1, -1))),
    )
    const explained = new Set(
      [...readFileSync('docs/errors.md', 'utf8').matchAll(/^## (KT\d{4})/gm)].map(([, code]) => code!),
    )
    expect({
      unexplained: [...used].filter((code) => !explained.has(code)).toSorted(),
      unused: [...explained].filter((code) => !used.has(code)),
    }).toEqual({ unexplained: [], unused: [] })
  })

  test('no machine and no person is named', () => {
    const named = files.flatMap(({ file, text }) => (/\/(work|root|home\/[a-z]+)\//.test(text) ? [file] : []))
    expect(named).toEqual([])
  })
})

const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '')

/**
 * A function begins on a line that ends in `{` at some indent, and ends at the next line of that indent
 * that begins with `}`.
 */
function longFunctions(file: string, text: string): readonly string[] {
  const lines = text.split('\n')
  return lines.flatMap((line, first) => {
    const begins =
      /^(\s*)(?:export )?(?:async )?(?:function\b|(?:const|readonly) \w+ = .*=>|(?:static |async |get |set |#|\*)*\w+\(.*\).*) ?.*\{$/.exec(
        line,
      )
    if (begins === null || /^\s*(if|for|while|switch|else|try|return|class|describe|test)\b/.test(line))
      return []
    const indent = begins[1]!
    const last = lines.findIndex((one, at) => at > first && one.startsWith(`${indent}}`))
    const length = last - first + 1
    const name = /(?:function |const |#?)(\w+)/.exec(line.trim())?.[1] ?? ''
    const most = name in KERNELS ? 120 : 60
    return length > most ? [`${file}:${first + 1} ${name} has ${length} lines`] : []
  })
}
