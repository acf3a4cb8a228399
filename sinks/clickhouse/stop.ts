import type { Clock } from '../../graph/port.ts'

/** Whether to go on, and sleep that ends when not. */
export class Stop {
  asked = false
  readonly #clock: Clock
  readonly #sleepers = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ask(): void {
    this.asked = true
    this.wake()
  }

  /** Whoever sleeps goes on now. */
  wake(): void {
    for (const wake of this.#sleepers) wake()
  }

  sleep(ms: number): Promise<void> {
    if (this.asked) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel()
        this.#sleepers.delete(wake)
        resolve()
      }
      const cancel = this.#clock.after(ms, wake)
      this.#sleepers.add(wake)
    })
  }
}
