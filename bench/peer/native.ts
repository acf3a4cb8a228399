import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, globSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** What a frame costs by one way of the program in `bench/native`, and the best prices that it ends at. */
export interface NativeRun {
  readonly name: string
  /** CPU time, nanoseconds a frame. */
  readonly ns: number
  readonly bid: number
  readonly ask: number
}

/** Runs the program once over a file of frames. */
export type Native = (file: string, priceDecimals: number, passes: number) => readonly NativeRun[]

/**
 * The Rust program, built in the user's cache for this processor; undefined where there is no cargo. The
 * first build takes some minutes.
 */
export const buildNative = (): Native | undefined => {
  if (spawnSync('cargo', ['--version']).status !== 0) return undefined
  const source = resolve(import.meta.dirname, '../native')
  const hash = createHash('sha256')
  for (const file of globSync(['Cargo.toml', 'src/*.rs'], { cwd: source }).toSorted()) {
    hash.update(readFileSync(join(source, file)))
  }
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  const folder = join(cache, 'kt', `bench-native-${hash.digest('hex').slice(0, 12)}`)
  const program = join(folder, 'target', 'release', 'kt-bench-native')
  if (!existsSync(program)) {
    process.stderr.write('kt: building the Rust peers, once (some minutes)\n')
    mkdirSync(folder, { recursive: true })
    for (const name of ['Cargo.toml', 'src'])
      cpSync(join(source, name), join(folder, name), { recursive: true })
    const env = {
      ...process.env,
      RUSTFLAGS: '-C target-cpu=native',
      CARGO_TARGET_DIR: join(folder, 'target'),
    }
    const built = spawnSync('cargo', ['build', '--release', '--quiet'], {
      cwd: folder,
      env,
      encoding: 'utf8',
    })
    if (built.status !== 0) throw new Error(`the Rust peers could not be built: ${built.stderr.slice(-1000)}`)
  }
  return (file, priceDecimals, passes) =>
    JSON.parse(
      execFileSync(program, [file, String(priceDecimals), String(passes)], { encoding: 'utf8' }),
    ) as readonly NativeRun[]
}
