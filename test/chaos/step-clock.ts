import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** A wall clock that a test sets, for all processes that have its environment but the exchange. */
export class StepClock {
  readonly environment: Readonly<Record<string, string>>
  readonly #folder: string
  readonly #file: number

  private constructor(folder: string, library: string) {
    const path = join(folder, 'offset')
    this.#folder = folder
    this.#file = openSync(path, 'w+')
    this.environment = { LD_PRELOAD: library, KT_STEP_CLOCK: path }
    this.set(0)
  }

  /** Undefined: there is no C compiler, or it is not Linux. */
  static open(): StepClock | undefined {
    if (process.platform !== 'linux') return undefined
    const folder = mkdtempSync(join(tmpdir(), 'kt-clock-'))
    const library = join(folder, 'step-clock.so')
    const source = resolve(import.meta.dirname, 'step-clock.c')
    const { status } = spawnSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl'])
    if (status === 0) return new StepClock(folder, library)
    rmSync(folder, { recursive: true, force: true })
    return undefined
  }

  /** So many seconds from what the machine says, from now on. */
  set(seconds: number): void {
    const nanos = Buffer.alloc(8)
    nanos.writeBigInt64LE(BigInt(seconds) * 1_000_000_000n)
    writeSync(this.#file, nanos, 0, nanos.length, 0)
  }

  [Symbol.dispose](): void {
    closeSync(this.#file)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
