// npm run bench [-- --quick] [--only G4,G9]: every goal beside its peers, on real frames, in
// one run.
import { execFileSync, fork } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { goals } from './goals.ts'
import type { Goal } from './goals.ts'
import type { Result } from './goal/result.ts'
import { binanceFrames } from './frames.ts'
import { peersFolder, peerVersions } from './peer/install.ts'
import { tableOf, verdictOf } from './table.ts'
import type { Outcome } from './table.ts'

if (process.argv.includes('--help')) {
  console.log(
    'npm run bench [-- --quick] [--only G4,G9]\n\nEvery goal beside its peers; bench/README.md says how.',
  )
  process.exit(0)
}
const quick = process.argv.includes('--quick')
const asked = process.argv.at(process.argv.indexOf('--only') + 1)?.split(',')
const only = process.argv.includes('--only') ? asked : undefined

/** A goal in a process of its own, so that no goal's code shapes how another's is compiled. */
const run = async (goal: Goal): Promise<Outcome> => {
  const begun = performance.now()
  const seconds = (): number => (performance.now() - begun) / 1000
  if (goal.file === undefined) return { goal, results: [], seconds: 0 }
  if (!existsSync(join(import.meta.dirname, 'goal', goal.file))) {
    return { goal, results: [], seconds: 0, failure: `bench/goal/${goal.file} is not there` }
  }
  const child = fork(join(import.meta.dirname, 'one.ts'), [goal.file, ...(quick ? ['--quick'] : [])], {
    execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
  })
  let [results, said]: [readonly Result[], string] = [[], '']
  child.stderr?.on('data', (text: Buffer) => (said = `${said}${text}`.slice(-4000)))
  child.on('message', (sent) => (results = sent as readonly Result[]))
  const code = await new Promise<number | null>((ended) => child.on('close', ended))
  if (code === 0) return { goal, results, seconds: seconds() }
  const reason = /^\w*Error: .*$/m.exec(said)?.[0] ?? said.trim().split('\n').at(-1)
  return { goal, results, seconds: seconds(), failure: reason || `its process ended with ${code}` }
}

const machine = (): string => {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  const processor = `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`
  return `${processor}, ${memory}, ${process.platform} ${process.arch}`
}

const git = (...words: readonly string[]): string =>
  execFileSync('git', words, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()

const commit = (): string => {
  const changed = git('status', '--porcelain', '--', ':/', ':!results.md').length > 0
  return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`
}

const today = (): string => new Date().toISOString().slice(0, 10)

const versions = (): string =>
  Object.entries(peerVersions())
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')

const page = (outcomes: readonly Outcome[]): string => `# Results

Written by \`npm run bench${quick ? ' -- --quick' : ''}\` on ${today()}; commit ${commit()}.
${machine()}; Node ${process.versions.node}.
Peers: ${versions()}.

Ratios within one run count; absolute numbers are those of one machine on one day. In every line: real
frames, all ways in the same run, in random order, median (least-most) of the rounds; "measured" is the median
of the factors of the rounds. CPU is that of the process with all its threads; service times are by the wall
clock, so that a busy machine shows in their last per mille. What kt makes is compared with what the peer
makes, and a run in which they differ fails. kt does more than its peers: checks of form and numbering, gap
ledger, trust. A line falls short below 70 % of its goal. README.md beside this page says how it is done.

${tableOf(outcomes)}
`

if (binanceFrames('spot').frames.length === 0) {
  console.log('the recordings are absent: nothing to measure; KT_RECORDINGS says where they are')
  process.exit(0)
}
peersFolder()
const outcomes: Outcome[] = []
for (const goal of goals) {
  if (only !== undefined && !only.includes(goal.name)) continue
  const outcome = await run(goal)
  outcomes.push(outcome)
  process.stderr.write(`kt: ${goal.name} ${goal.title}: ${outcome.seconds.toFixed(0)} s\n`)
}
console.log(tableOf(outcomes))
if (only === undefined) writeFileSync(join(import.meta.dirname, 'results.md'), page(outcomes))
const short = outcomes.some(
  ({ goal, results, failure }) =>
    failure !== undefined || results.some((result) => verdictOf(goal, result) === 'falls short'),
)
process.exitCode = short ? 2 : 0
