import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PAGE = 4096
const nothing = new Uint8Array(PAGE)

/** A real disk of a few pages, so that each write in turn can be the one for which there is no space. */
export class SmallDisk {
  readonly folder: string
  readonly #ballast: string

  constructor(folder: string) {
    this.folder = folder
    this.#ballast = join(folder, 'ballast')
  }

  /** Undefined: mounting a disk takes root, on Linux. */
  static open(size = '4m'): SmallDisk | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'kt-disk-'))
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder])
    if (status === 0) return new SmallDisk(folder)
    rmSync(folder, { recursive: true })
    return undefined
  }

  /** Fill it, but for so many pages. */
  leave(pages: number): void {
    const file = openSync(this.#ballast, 'w')
    let length = 0
    try {
      for (;;) length += writeSync(file, nothing)
    } catch {
      ftruncateSync(file, Math.max(0, length - pages * PAGE))
    } finally {
      closeSync(file)
    }
  }

  free(): void {
    rmSync(this.#ballast, { force: true })
  }

  /** Every file, by its path. */
  files(): readonly string[] {
    return readdirSync(this.folder, { recursive: true, encoding: 'utf8' }).sort()
  }

  clear(): void {
    for (const name of readdirSync(this.folder)) rmSync(join(this.folder, name), { recursive: true })
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['-l', this.folder])
    rmSync(this.folder, { recursive: true })
  }
}
