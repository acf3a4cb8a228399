import { closeSync, fsyncSync, openSync, readSync, watch, writeSync } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { errnoOf } from './disk.ts'

const BYTES = 24
const POLL_MS = 50

/**
 * How far the log is durable: a segment, and a length in it. The writer publishes it in the file `durable`
 * after each fdatasync and before it acknowledges; readers, in this process or another, never look beyond. So
 * a reader cannot commit what a loss of power could still undo. The file itself is not synced: after a loss
 * of power it is behind the truth at most, and the next writer puts it right.
 */
export class Durable {
  segment = 0
  length = 0
  readonly #file: string
  readonly #bytes = new Uint8Array(BYTES)
  readonly #view = new DataView(this.#bytes.buffer)
  readonly #waiting = new Set<() => void>()
  #fd = -1
  #written = false
  #watcher: FSWatcher | undefined

  constructor(folder: string) {
    this.#file = join(folder, 'durable')
  }

  /** The log has come this far. Only the process that holds the lock says so. */
  publish(segment: number, length: number): void {
    if (!this.#written) {
      this.#shut()
      this.#fd = openSync(this.#file, 'a')
      closeSync(this.#fd)
      this.#fd = openSync(this.#file, 'r+')
      this.#written = true
    }
    this.#view.setFloat64(0, segment, true)
    this.#view.setFloat64(8, length, true)
    this.#view.setUint32(16, crc32(this.#bytes.subarray(0, 16)), true)
    writeSync(this.#fd, this.#bytes, 0, BYTES, 0)
    this.segment = segment
    this.length = length
    this.#wake()
  }

  /** Worth a sync at the end of each segment: it bounds how far behind it can be after a loss of power. */
  sync(): void {
    if (this.#written) fsyncSync(this.#fd)
  }

  /** See how far another process has come. */
  refresh(): void {
    if (this.#written || !this.#opened()) return
    const got = readSync(this.#fd, this.#bytes, 0, BYTES, 0)
    // A torn read meets a write half-way; the next look has it.
    if (got !== BYTES || this.#view.getUint32(16, true) !== crc32(this.#bytes.subarray(0, 16))) return
    this.segment = this.#view.getFloat64(0, true)
    this.length = this.#view.getFloat64(8, true)
  }

  /**
   * Until it moves, or `ms` have passed. A file is watched, and looked at now and then where watching does
   * not work.
   */
  async wait(ms: number): Promise<void> {
    const { segment, length } = this
    const until = performance.now() + ms
    for (;;) {
      this.refresh()
      const left = until - performance.now()
      if (this.segment !== segment || this.length !== length || left <= 0) return
      if (!(await this.#change(this.#written ? left : Math.min(left, POLL_MS)))) return
    }
  }

  /** Whoever waits, waits no longer. */
  interrupt(): void {
    this.#wake()
  }

  close(): void {
    this.#wake()
    this.#shut()
  }

  /** False when it was interrupted or moved, true when time passed or the file changed. */
  #change(ms: number): Promise<boolean> {
    this.#watch()
    return new Promise((resolve) => {
      const done = (again: boolean) => (): void => {
        clearTimeout(timer)
        this.#waiting.delete(woken)
        this.#watcher?.off('change', changed)
        resolve(again)
      }
      const woken = done(false)
      const changed = done(true)
      const timer = setTimeout(done(true), ms)
      this.#waiting.add(woken)
      this.#watcher?.on('change', changed)
    })
  }

  #watch(): void {
    if (this.#written || this.#watcher !== undefined || this.#fd < 0) return
    try {
      this.#watcher = watch(this.#file, { persistent: false }).setMaxListeners(0)
      this.#watcher.on('error', () => this.#unwatch())
    } catch {
      // Some file systems cannot be watched (and a system may be out of watches): then the poll alone finds
      // it.
    }
  }

  #unwatch(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  #wake(): void {
    for (const woken of [...this.#waiting]) woken()
  }

  #opened(): boolean {
    if (this.#fd >= 0) return true
    try {
      this.#fd = openSync(this.#file, 'r')
      return true
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false
      throw error
    }
  }

  #shut(): void {
    this.#unwatch()
    if (this.#fd >= 0) closeSync(this.#fd)
    this.#fd = -1
    this.#written = false
  }
}
