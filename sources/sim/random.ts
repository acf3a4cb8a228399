/**
 * A seeded source of chance: the same seed gives the same numbers on every machine.
 *
 * Integer arithmetic only (sfc32), so that no floating-point library can make two runs differ. Every actor
 * of the simulation owns a fork named after it: what one draws never moves what another draws.
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #count = 1
  readonly #seed: string

  constructor(seed: string) {
    this.#seed = seed
    this.#a = hash(seed, 0x9e3779b9)
    this.#b = hash(seed, 0x243f6a88)
    this.#c = hash(seed, 0xb7e15162)
    for (let i = 0; i < 12; i++) this.bits()
  }

  /** An independent source, named: equal names give equal sources. */
  fork(name: string): Random {
    return new Random(`${this.#seed}/${name}`)
  }

  /** 32 random bits as an unsigned integer. */
  bits(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#count) | 0
    this.#count = (this.#count + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** A number in [0, 1). */
  unit(): number {
    return this.bits() / 4294967296
  }

  /**
   * True with the given probability; draws nothing when it is zero, so that an unused fault costs nothing.
   */
  chance(probability: number): boolean {
    return probability > 0 && this.unit() < probability
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.unit() * bound)
  }

  /**
   * Waiting time of a Poisson process, in the unit in which `rate` counts. Infinite when the rate is zero.
   */
  wait(rate: number): number {
    return rate > 0 ? -Math.log(1 - this.unit()) / rate : Infinity
  }

  /** A roughly normal number, mean 0 and deviation 1 (sum of four uniforms: bounded, and cheap). */
  normal(): number {
    return (this.unit() + this.unit() + this.unit() + this.unit() - 2) * Math.sqrt(3)
  }

  /** A geometric number from 0, with the given mean. */
  geometric(mean: number): number {
    return Math.floor(Math.log(1 - this.unit()) / Math.log(mean / (mean + 1)))
  }
}

/** FNV-1a with a final mix: spreads names that differ in one letter over all 32 bits. */
function hash(text: string, basis: number): number {
  let h = basis
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
