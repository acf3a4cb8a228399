import { GraphError } from './error.ts'
import type { AnyKey, Key } from './key.ts'
import type { AnyOperator, Operator, SystemName } from './operator.ts'
import type { Carries, Fits, GraphTypeError, Offers, SameKey } from './sentence.ts'
import type { AnySink, Sink } from './sink.ts'
import type { AnySource, FrameOf, Source, Universe } from './source.ts'
import type { AnyTopic, Topic } from './topic.ts'

/**
 * A typed flow of events `T`, kept together on one shard by the key `K`. It describes work, and does none.
 */
export interface Stream<T, K extends string> extends Flow<T, K> {
  /** A sink reads the log, so there is none before a topic. */
  readonly to: GraphTypeError<'put .through(topic) before .to(sink): a sink reads the log'>
}

/** A stream that has been written to a topic, and is read back from it. */
export interface Logged<T, K extends string> extends Flow<T, K> {
  readonly to: <S extends readonly AnySink[]>(...sinks: S & SinksFit<T, S>) => void
}

export interface Flow<T, K extends string> {
  /** The names of the nodes it comes from. */
  readonly from: readonly string[]
  readonly via: <In, Out, Under extends string>(
    operator: Operator<In, Out, Under> & Fits<T, K, In, Under, SystemName>,
  ) => Stream<Out, K>
  readonly through: <E, K2 extends string>(topic: Topic<E, K2> & Carries<T, E, 'topic'>) => Logged<E, K2>
  readonly carries?: Carried<T, K>
}

/** What a stream carries; only the type checker sees it. */
export interface Carried<T, K extends string> {
  readonly event: T
  readonly key: K
}

type SinksFit<T, S extends readonly unknown[]> = {
  readonly [I in keyof S]: S[I] extends Sink<infer E> ? Carries<T, E, 'sink'> : unknown
}

/** How a graph asks a source for its streams. */
export interface SourceOptions<Channels extends readonly string[], K extends string> {
  readonly channels: Channels
  readonly universe: Universe
  /** How the source's instruments are dealt to shards: what is together by this key stays together. */
  readonly keep: Key<never, K, string>
}

/** The five words: `source`, `merge`, and, on a stream, `via`, `through`, `to`. */
export interface Builder {
  readonly source: <N extends string, C, const W extends readonly string[], K extends string>(
    source: Source<N, C>,
    options: SourceOptions<W & Offers<N, keyof C & string, W>, K>,
  ) => { readonly [X in W[number] & keyof C]: Stream<FrameOf<C[X]>, K> }
  /**
   * Several streams of one key as one. It is not a node: a merge may grow without renaming what lies below
   * it.
   */
  readonly merge: <S extends readonly AnyFlow[]>(
    ...streams: S & SameKey<KeysOf<S>>
  ) => Stream<EventOf<S[number]>, KeyOf<S[0]>>
}

interface AnyFlow {
  readonly from: readonly string[]
  readonly carries?: unknown
}
type EventOf<S> = S extends { readonly carries?: Carried<infer T, string> } ? T : never
type KeyOf<S> = S extends { readonly carries?: Carried<unknown, infer K> } ? K : never
type KeysOf<S extends readonly AnyFlow[]> = { readonly [I in keyof S]: KeyOf<S[I]> }

/** What a source node asks for. */
export interface Want {
  readonly source: AnySource
  readonly channel: string
  readonly universe: Universe
  readonly keep: AnyKey
}

/**
 * One step of a graph. It is found by its name in checkpoints, so the name never depends on where it
 * stands.
 */
export type Node =
  | { readonly kind: 'source'; readonly name: string; readonly from: readonly string[]; readonly is: Want }
  | {
      readonly kind: 'operator'
      readonly name: string
      readonly from: readonly string[]
      readonly is: AnyOperator
    }
  | { readonly kind: 'topic'; readonly name: string; readonly from: readonly string[]; readonly is: AnyTopic }
  | { readonly kind: 'sink'; readonly name: string; readonly from: readonly string[]; readonly is: AnySink }

/** What feeds what. Plain frozen data, always without cycles, because a stream exists before it is used. */
export interface Graph {
  readonly name: string
  readonly nodes: readonly Node[]
}

/** Describe a graph. `describe` runs once, at once. */
export const graph = (name: string, describe: (g: Builder) => void): Graph => {
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(name)) {
    throw new GraphError('KT1006', `"${name}" cannot name a graph`, {
      fix: 'Use small letters, digits and dashes, 40 at most.',
    })
  }
  const nodes = new Map<string, Node>()
  const add = (node: Node): string => {
    if (nodes.has(node.name)) {
      throw new GraphError('KT1007', `graph "${name}" has two nodes named "${node.name}"`, {
        fix: 'Use the stream that the first one returned, or give one of them another name.',
      })
    }
    nodes.set(node.name, Object.freeze({ ...node, from: Object.freeze([...node.from]) }))
    return node.name
  }
  const flow = (from: readonly string[]): any => ({
    from,
    via: (is: any) => flow([add({ kind: 'operator', name: is.name, from, is })]),
    through: (is: any) => flow([add({ kind: 'topic', name: is.name, from, is })]),
    to: (...sinks: any[]) => sinks.forEach((is) => add({ kind: 'sink', name: is.name, from, is })),
  })
  describe({
    source: (source: any, { channels, universe, keep }: any) =>
      Object.fromEntries(
        channels.map((channel: string) => [
          channel,
          flow([
            add({
              kind: 'source',
              name: `${source.name}.${channel}`,
              from: [],
              is: { source, channel, universe, keep },
            }),
          ]),
        ]),
      ),
    merge: (...streams: any[]) => flow([...new Set(streams.flatMap((one) => one.from))]),
  } as Builder)
  return Object.freeze({ name, nodes: Object.freeze([...nodes.values()]) })
}
