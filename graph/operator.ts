import { GraphError } from './error.ts'
import type { AnyKey, Key } from './key.ts'
import type { AnySchema, Event, NameOf, Schema } from './schema.ts'

/**
 * Where an operator puts what it makes: one function for each event it may emit. The event is copied before
 * it returns.
 */
export type Emit<Out> = { readonly [E in Out as NameOf<E>]: (event: E) => void }

/**
 * One key's state: how it begins, and how a checkpoint saves and loads it. `Saved` is plain JSON. A
 * checkpoint of another `version` is refused, not guessed at.
 */
export interface StateOf<S, Saved> {
  readonly version: number
  readonly create: (key: string) => S
  readonly save: (state: S) => Saved
  readonly load: (saved: Saved, key: string) => S
}

/** State that is already plain data. */
export const plain = <S>(version: number, create: () => S): StateOf<S, S> =>
  Object.freeze({
    version,
    create,
    save: (state: S) => structuredClone(state),
    load: (saved: S) => structuredClone(saved),
  })

/** No state at all. */
export const stateless: StateOf<undefined, null> = Object.freeze({
  version: 1,
  create: () => undefined,
  save: () => null,
  load: () => undefined,
})

/**
 * A pure, deterministic step. It takes the events `In`, emits the events `Out`, and keeps one state for
 * each value of a key; it may stand on streams that are kept together by any of the keys `Under`.
 */
export interface Operator<In, Out, Under extends string> {
  readonly name: string
  readonly inputs: readonly AnySchema[]
  readonly outputs: readonly Schema<Out>[]
  /** Events for the system topics (gaps), which do not flow on. */
  readonly reports: readonly AnySchema[]
  readonly key: AnyKey
  /** It reads frames: the runtime joins it to its source, and no row of its input is ever logged. */
  readonly frames: boolean
  /**
   * Operators of one schema each that its events pass before they flow on: a plan shows them as nodes of
   * their own.
   */
  readonly followedBy: readonly AnyOperator[]
  readonly state: StateOf<unknown, unknown>
  readonly on: Readonly<Record<string, On>>
  readonly options: Readonly<Record<string, unknown>>
  readonly takes?: (event: In) => In
  readonly under?: Under
}

/** An operator whose event types do not matter here. */
export type AnyOperator = Omit<Operator<unknown, unknown, string>, 'takes' | 'under' | 'outputs'> & {
  readonly outputs: readonly AnySchema[]
}

/** What the runtime calls: synchronous, and within reach of nothing but its arguments. */
export type On = (state: unknown, event: never, emit: never) => void

/**
 * Events that kt itself supplies to any operator that names them: `control` (ticks, sessions) and
 * `instrument`.
 */
export type SystemName = 'control' | 'instrument'

type Inputs = Readonly<Record<string, Event<string>>>
type EventsOf<In extends Inputs> = { [N in keyof In]: In[N] }[keyof In]

export interface Definition<
  In extends Inputs,
  Out,
  Report,
  S,
  Saved,
  E,
  N extends string,
  Up extends string,
> {
  readonly name: string
  readonly inputs: { readonly [I in keyof In]: Schema<In[I]> }
  readonly outputs: readonly Schema<Out>[]
  readonly reports?: readonly Schema<Report>[]
  readonly key: Key<E, N, Up>
  readonly state: StateOf<S, Saved>
  readonly options?: Readonly<Record<string, unknown>>
  /**
   * One function for each input. It may change `state` and call `emit`: there is no clock, randomness or
   * I/O in reach.
   */
  readonly on: { readonly [I in keyof In]: (state: S, event: In[I], emit: Emit<Out | Report>) => void }
}

/**
 * Define an operator. Its inputs are the names of `on`; an event that a merge carries goes to the input of
 * its schema.
 */
export const operator = <
  In extends Inputs,
  Out,
  S,
  Saved,
  E,
  N extends string,
  Up extends string,
  Report = never,
>(
  definition: Definition<In, Out, Report, S, Saved, E, N, Up>,
): Operator<EventsOf<In>, Out, N | Up> => {
  const { name, inputs, outputs, reports = [], key, state, on, options = {} } = definition
  for (const [input, schema] of Object.entries<AnySchema>(inputs)) {
    if (schema.name === input) continue
    throw new GraphError(
      'KT1005',
      `operator "${name}" calls its input "${input}", and the schema is "${schema.name}"`,
      {
        fix: `Name the input "${schema.name}": events find their input by the name of their schema.`,
      },
    )
  }
  const erased = {
    name,
    inputs: Object.values(inputs),
    outputs,
    reports,
    key,
    frames: false,
    followedBy: [],
    state,
    on,
    options: Object.freeze(options),
  }
  return Object.freeze(erased) as unknown as Operator<EventsOf<In>, Out, N | Up>
}
