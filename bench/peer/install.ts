import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const own = resolve(import.meta.dirname, '..')

const QUIET = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']

/** Modules are looked up from beside this file, so that a package's `import` condition holds. */
const LOADER = 'export const load = (name) => import(name)\n'

/**
 * The folder that holds the peers, as `bench/package-lock.json` says, in the user's cache: kt itself does not
 * depend on them. They are fetched once for each lock file, without their install scripts.
 */
export const peersFolder = (): string => {
  const lock = readFileSync(join(own, 'package-lock.json'))
  const key = createHash('sha256').update(lock).digest('hex').slice(0, 12)
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  const folder = join(cache, 'kt', `bench-${key}`)
  const loader = join(folder, 'load.mjs')
  if (existsSync(loader)) return folder
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(own, file), join(folder, file))
  process.stderr.write('kt: fetching what kt is measured against, once (about 130 MB)\n')
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` }
  const npm = (verb: 'ci' | 'install') =>
    spawnSync('npm', [verb, ...QUIET], {
      cwd: folder,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    })
  let result = npm('ci')
  // A registry that lacks another platform's package makes `ci` refuse a lock that `install` honours.
  if (result.status !== 0 && result.stderr.includes('EUSAGE')) result = npm('install')
  if (result.status !== 0) throw new Error(`the peers could not be installed: ${result.stderr}`)
  writeFileSync(loader, LOADER)
  return folder
}

/** A peer's module; what it looks like, the caller knows. */
export const loadPeer = async (name: string): Promise<unknown> => {
  const { load } = (await import(pathToFileURL(join(peersFolder(), 'load.mjs')).href)) as {
    readonly load: (name: string) => Promise<object>
  }
  const module = await load(name)
  // A CommonJS module's names may stand on its default export alone.
  return 'default' in module ? { ...(module.default as object), ...module } : module
}

/** What kt is measured against, in the versions that are asked for. */
export const peerVersions = (): Readonly<Record<string, string>> => {
  const versions = (folder: string): Readonly<Record<string, string>> => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    ) as Readonly<Record<string, Readonly<Record<string, string>>>>
    return { ...devDependencies, ...optionalDependencies, ...dependencies }
  }
  // The interpreter of JSONata and chDB are kt's own dependencies.
  const { jsonata = '', chdb = '' } = versions(join(own, '..'))
  return { ...versions(own), jsonata, chdb }
}
