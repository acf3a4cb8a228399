import { HostError } from '../../graph/error.ts'
import type { Clock, Random } from '../../graph/port.ts'
import { within } from './within.ts'

/** How patient a call is. */
export interface Calling {
  /** For an answer to begin and end, with a second more for each megabyte that is sent. Default 15 s. */
  readonly timeoutMs: number
  /** Default 5. */
  readonly triesMax: number
  /**
   * Before the second try, doubled for each later one up to 5 s, and then a random part of it. Default 100.
   */
  readonly backoffMs: number
}

const BACKOFF_MAX_MS = 5000
const BYTES_PER_MS = 1000

/** What a try came to that brought no answer of use. */
interface Failed {
  /** `refused`: it is known that nothing was done. `unsure`: it may have been. */
  readonly kind: 'missing' | 'exists' | 'refused' | 'unsure' | 'fatal'
  readonly error: HostError
}

/** Calls to S3: each within its time, tried again within bounds, and failing as one of kt's errors. */
export class S3Calls {
  readonly #where: string
  readonly #clock: Clock
  readonly #random: Random
  readonly #calling: Calling

  constructor(where: string, options: Partial<Calling> & { readonly clock: Clock; readonly random: Random }) {
    this.#where = where
    this.#clock = options.clock
    this.#random = options.random
    const { timeoutMs = 15_000, triesMax = 5, backoffMs = 100 } = options
    this.#calling = { timeoutMs, triesMax, backoffMs }
  }

  /** Undefined: there is no such object. */
  async run<T>(what: string, call: (signal: AbortSignal) => Promise<T>, bytes = 0): Promise<T | undefined> {
    for (let tries = 1; ; tries++) {
      const got = await this.#try(what, call, bytes)
      if ('done' in got) return got.done
      if (got.kind === 'missing') return undefined
      if (got.kind === 'fatal' || tries >= this.#calling.triesMax) throw got.error
      await this.#pause(tries)
    }
  }

  /** As `run`, where a missing object is not an answer. */
  async must<T>(what: string, call: (signal: AbortSignal) => Promise<T>, bytes = 0): Promise<T> {
    const done = await this.run(what, call, bytes)
    if (done !== undefined) return done
    throw this.#error('KT3024', `the object store refused to ${what}`, 'it found nothing', 'never')
  }

  /**
   * A put that holds only if the object is absent. `unsure`: it exists now, and an earlier try of ours may
   * have made it.
   */
  async conditional(
    call: (signal: AbortSignal) => Promise<unknown>,
    bytes: number,
  ): Promise<'won' | 'lost' | 'unsure'> {
    let doubt = false
    for (let tries = 1; ; tries++) {
      const got = await this.#try('put', call, bytes)
      if ('done' in got) return 'won'
      if (got.kind === 'exists') return doubt ? 'unsure' : 'lost'
      if (got.kind === 'fatal' || got.kind === 'missing' || tries >= this.#calling.triesMax) throw got.error
      doubt ||= got.kind === 'unsure'
      await this.#pause(tries)
    }
  }

  async #try<T>(
    what: string,
    call: (signal: AbortSignal) => Promise<T>,
    bytes: number,
  ): Promise<Failed | { readonly done: T }> {
    const limitMs = this.#calling.timeoutMs + bytes / BYTES_PER_MS
    try {
      return { done: await within(this.#clock, limitMs, call) }
    } catch (error) {
      return this.#failed(what, error)
    }
  }

  #failed(what: string, thrown: unknown): Failed {
    const { name, status, message } = answerIn(thrown)
    const told = status === undefined ? message : `${name} (${status})`
    // The SDK has set its clock by the answer: the next try may be right.
    if (name === 'RequestTimeTooSkewed')
      return {
        kind: 'refused',
        error: this.#error('KT3027', 'S3 refused the time of a request', told, 'never'),
      }
    if (CREDENTIALS.has(name) || status === 401 || status === 403) {
      return {
        kind: 'fatal',
        error: this.#error('KT3021', 'S3 refused the credentials', WHY[name] ?? told, 'never'),
      }
    }
    if (PLACE.has(name) || (status !== undefined && status >= 300 && status < 400)) {
      const error = this.#error('KT3023', 'the bucket is not there', told, 'never')
      return { kind: 'fatal', error }
    }
    const asked = `S3 did not ${what} an object`
    // Any other 404 says that something else is not there, and must not pass for an empty lake.
    if (status === 404 && MISSING.has(name))
      return { kind: 'missing', error: this.#error('KT3023', 'the bucket is not there', told, 'never') }
    if (status === 412) return { kind: 'exists', error: this.#error('KT3020', asked, told, 'now') }
    if (status === 409 || status === 429 || SLOWER.has(name))
      return { kind: 'refused', error: this.#error('KT3020', asked, told, { afterMs: 1000 }) }
    if (status !== undefined && status >= 400 && status < 500 && !AGAIN.has(name)) {
      const error = this.#error('KT3024', `the object store refused to ${what}`, told, 'never')
      return { kind: 'fatal', error }
    }
    return { kind: 'unsure', error: this.#error('KT3020', asked, told, { afterMs: 1000 }) }
  }

  #error(
    code: 'KT3020' | 'KT3021' | 'KT3023' | 'KT3024' | 'KT3027',
    message: string,
    why: string,
    retry: HostError['retry'],
  ): HostError {
    // The SDK's own error is no cause of it: it holds the request, with its signature.
    return new HostError(code, message, { where: this.#where, why, fix: FIX[code], retry })
  }

  #pause(tries: number): Promise<void> {
    const most = Math.min(BACKOFF_MAX_MS, this.#calling.backoffMs * 2 ** (tries - 1))
    const ms = Math.ceil(most / 2) + this.#random.below(Math.ceil(most / 2) + 1)
    return new Promise((resume) => void this.#clock.after(ms, resume))
  }
}

const FIX = {
  KT3020: 'It is tried again; see that the endpoint answers and that the network is there.',
  KT3021: 'Renew the credentials where the AWS SDK finds them; AWS_ACCESS_KEY_ID is read at the start alone.',
  KT3023: 'Make the bucket, or correct its name, region or endpoint.',
  KT3024: 'See what the store says of itself: kt needs conditional puts, ranges and listing version 2.',
  KT3027: 'Set the clock of this machine, or of the store: see that NTP runs (timedatectl).',
} as const

const WHY: Readonly<Record<string, string>> = {
  ExpiredToken: 'they have expired',
  ExpiredTokenException: 'they have expired',
  TokenRefreshRequired: 'they have expired',
  CredentialsProviderError: 'there are none',
  InvalidAccessKeyId: 'the store does not know the access key',
  XAdminUserNotFound: 'the store does not know the access key',
  SignatureDoesNotMatch: 'the secret is not that of the access key',
  AccessDenied: 'they do not allow this',
}
const CREDENTIALS: ReadonlySet<string> = new Set(Object.keys(WHY))
const MISSING: ReadonlySet<string> = new Set(['NoSuchKey', 'NotFound'])
const PLACE: ReadonlySet<string> = new Set(['NoSuchBucket', 'PermanentRedirect', 'InvalidBucketName'])
/** Refused before anything was done. */
const SLOWER: ReadonlySet<string> = new Set(['SlowDown', 'TooManyRequests', 'ConditionalRequestConflict'])
/** A 4xx by status that only the network is to blame for. */
const AGAIN: ReadonlySet<string> = new Set(['RequestTimeout', 'IncompleteBody', 'BadDigest'])

interface Told {
  readonly name: string
  readonly status: number | undefined
  readonly message: string
}

const answerIn = (thrown: unknown): Told => {
  const {
    name = 'Error',
    message = '',
    $metadata,
    code,
  } = thrown as {
    readonly name?: string
    readonly message?: string
    readonly code?: unknown
    readonly $metadata?: { readonly httpStatusCode?: number }
  }
  const status = $metadata?.httpStatusCode
  // A body that could not be read, or an answer that was cut off, has a status and is no answer.
  const cut = name === 'SyntaxError' || name === 'Error' || name === 'TimeoutError'
  const errno = typeof code === 'string' ? `${code}: ` : ''
  return { name, status: cut ? undefined : status, message: `${errno}${message.split('\n')[0]!}` }
}
