import { closeSync, fsyncSync, openSync, readSync, watch, writeSync } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { errnoOf } from './disk.ts'

const BYTES = 24
/**
 * How often a reader looks where a file cannot be watched, and where it can (a file system may forget to
 * tell).
 */
const POLL_MS = 50
const WATCHED_POLL_MS = 500

/** How far the log was when a reader looked. */
export interface Seen {
  readonly segment: number
  readonly length: number
}

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
   * Until it is elsewhere than it was seen, or `ms` have passed. The caller says what it saw: another reader
   * may have moved it since.
   */
  async wait({ segment, length }: Seen, ms: number): Promise<void> {
    const until = performance.now() + ms
    for (;;) {
      this.#watch()
      this.refresh()
      const left = until - performance.now()
      if (this.segment !== segment || this.length !== length || left <= 0) return
      const poll = this.#watcher === undefined ? POLL_MS : WATCHED_POLL_MS
      if (!(await this.#change(this.#written ? left : Math.min(left, poll)))) return
    }
  }

  seen(): Seen {
    return { segment: this.segment, length: this.length }
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
