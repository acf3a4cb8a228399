// Runs a TypeScript file of this project with the Node it needs. Any Node >= 18 may start this file, so it is plain
// JavaScript without dependencies. First run: fetch Node 24 when this one is older, install the dependencies. Later: nothing.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE = '24.21.0'
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const say = (text) => process.stderr.write(`kt: ${text}\n`)

const fail = (what, fix) => {
  say(`${what}\n  fix  ${fix}`)
  process.exit(69)
}

const quietly = (result, what, fix) => {
  if (result.status === 0) return
  process.stderr.write(result.stderr ?? '')
  fail(what, fix)
}

/** The Node to run with: this one when it is new enough, else one from the npm registry, kept in the user's cache. */
const provideNode = () => {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > 24 || (major === 24 && minor >= 0)) return process.execPath
  const machine = `${process.platform}-${process.arch}`
  if (machine !== 'linux-x64' && machine !== 'linux-arm64') {
    fail(`kt needs Node 24 or newer; this is ${process.version}`, 'install Node 24, then run the same command again')
  }
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kt', `node-${NODE}`)
  const node = join(cache, 'node_modules', `node-${machine}`, 'bin', 'node')
  if (existsSync(node)) return node
  mkdirSync(cache, { recursive: true })
  say(`this is Node ${process.version}; fetching Node ${NODE} from the npm registry, once (about 190 MB)`)
  const arguments_ = ['install', '--prefix', cache, '--no-save', '--no-audit', '--no-fund', '--loglevel=error', `node-${machine}@${NODE}`]
  quietly(
    spawnSync('npm', arguments_, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' }),
    `Node ${NODE} could not be fetched`,
    'check the registry with `npm ping`, or install Node 24 yourself',
  )
  return node
}

/** As new as what it was compared with, so that bin/kt need not look again; in a tree that is only read it does. */
const asNew = (stamp) => {
  try {
    utimesSync(stamp, new Date(), new Date())
  } catch {}
}

/** Install the dependencies when package.json, the lock or the Node changed since the last time. */
const install = (node) => {
  const read = (file) => (existsSync(join(root, file)) ? readFileSync(join(root, file)) : '')
  const want = createHash('sha256').update(read('package.json')).update(read('package-lock.json')).update(node).digest('hex')
  const stamp = join(root, 'node_modules', '.kt-setup')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return asNew(stamp)
  const started = Date.now()
  say('installing the dependencies (npm ci)')
  const environment = { ...process.env, PATH: dirname(node) + delimiter + process.env.PATH }
  const npm = (verb) =>
    spawnSync('npm', [verb, '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, env: environment, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })
  let result = existsSync(join(root, 'package-lock.json')) ? npm('ci') : npm('install')
  // A registry that lacks another platform's package makes `ci` refuse a lock that `install` honours.
  if (result.status !== 0 && /EUSAGE/.test(result.stderr)) result = npm('install')
  quietly(result, 'the dependencies could not be installed', 'check the registry with `npm ping`, then run the same command again')
  writeFileSync(stamp, createHash('sha256').update(read('package.json')).update(read('package-lock.json')).update(node).digest('hex'))
  if (existsSync(join(root, '.git'))) spawnSync('git', ['config', 'core.hooksPath', '.githooks'], { cwd: root })
  say(`ready in ${((Date.now() - started) / 1000).toFixed(1)} s`)
}

const node = provideNode()
install(node)
const [file, ...rest] = process.argv.slice(2)
const environment = { ...process.env, PATH: [dirname(node), join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter) }
const child = spawn(node, ['--disable-warning=ExperimentalWarning', join(root, file), ...rest], { stdio: 'inherit', env: environment })
// The terminal signals the whole group; a service manager only this process. Wait for the child either way.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
child.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code ?? 1)))
