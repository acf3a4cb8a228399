import type { Control } from '../market/system.ts'
import type { Pace, Silence } from './staleness.ts'
import type { Reply } from './venue.ts'

/** A topic that a session is to have: one channel of one symbol. */
export interface Topic {
  readonly topic: string
  readonly channel: string
  readonly instrument: string
  /** Beyond it the symbol, or the channel, is stale. */
  readonly silence: Silence
  /** Its rows carry ids, so that the rows of two connections are told apart below. */
  readonly numbered: boolean
}

/** What a session makes happen. `line` is the epoch of one of its sockets. */
export type Effect =
  | { readonly kind: 'connect' | 'close'; readonly line: number }
  | { readonly kind: 'send'; readonly line: number; readonly text: string }
  | { readonly kind: 'wake'; readonly afterMs: number }
  | {
      readonly kind: 'control'
      readonly of: Control['kind']
      readonly line: number
      readonly channel: string
      readonly instrument: string
      readonly why: string
    }
  | {
      readonly kind: 'note'
      readonly level: 'debug' | 'info' | 'warn'
      readonly what: string
      readonly facts: Readonly<Record<string, unknown>>
    }

/** What happens to a session. Messages of topics come by `heard`, which is quick. */
export type Happening =
  | { readonly kind: 'start' | 'wake' | 'stop' }
  | { readonly kind: 'opened' | 'ping'; readonly line: number }
  | { readonly kind: 'reply'; readonly line: number; readonly reply: Reply }
  | { readonly kind: 'closed'; readonly line: number; readonly code: number; readonly reason: string }
  | { readonly kind: 'want'; readonly topics: readonly Topic[] }
  | { readonly kind: 'drop'; readonly topics: readonly string[] }
  /** A book has a hole, and only a new subscription begins it anew. */
  | { readonly kind: 'again'; readonly topic: string }

/** A topic with what is known of its life. */
export interface Held extends Topic, Pace {
  /** The line whose messages count; 0: none. */
  owner: number
  stale: boolean
  againAt: number
}
