/** What an error is about, for a person and for a search: each part is optional, each is one sentence. */
export interface About {
  /** The file, topic, venue, connection or flag in question. */
  readonly where?: string
  readonly why?: string
  /** What to do now, as an instruction. */
  readonly fix?: string
  /** The variable parts of the message, by name, so that logs are searched by field. */
  readonly facts?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** One cause, one code; `kt explain CODE` prints the long text. */
export type Code = `KT${number}`

/** Any failure that kt names. The message says what, in lower case, without a full stop. */
export class KtError extends Error {
  readonly code: Code
  readonly where: string | undefined
  readonly why: string | undefined
  readonly fix: string | undefined
  readonly facts: Readonly<Record<string, unknown>>

  constructor(code: Code, message: string, about: About = {}) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause })
    this.name = new.target.name
    this.code = code
    this.where = about.where
    this.why = about.why
    this.fix = about.fix
    this.facts = Object.freeze({ ...about.facts })
  }
}

/** The graph cannot be right. Its author acts; nothing has started. Exit code 65. */
export class GraphError extends KtError {}

/** A message broke its venue's contract. The frame goes to the dead letters and the run goes on. */
export class VenueError extends KtError {}

/** A port failed. The runtime obeys `retry`: again after a while, at once, or never. */
export class HostError extends KtError {
  readonly retry: Retry
  constructor(code: Code, message: string, about: About & { readonly retry: Retry }) {
    super(code, message, about)
    this.retry = about.retry
  }
}

export type Retry = { readonly afterMs: number } | 'now' | 'never'

/** Our own invariant. The shard that breaks one dies, and its last checkpoint stands. */
export function assert(holds: boolean, invariant: string): asserts holds {
  if (!holds)
    throw new KtError('KT9000', `an invariant of kt is broken: ${invariant}`, {
      fix: 'Report this with the log lines before it.',
    })
}
