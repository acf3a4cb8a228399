import type { NameOf } from './schema.ts'

declare const sentence: unique symbol

/** Shows a sentence, with the remedy in it, where a type does not fit. */
export interface GraphTypeError<Message extends string> {
  readonly [sentence]: Message
}

/** `'a' | 'b'` as the text `a, b`. */
export type Listed<U extends string> = [U] extends [never] ? 'nothing' : Joined<Tuple<U>>

type Joined<T extends readonly unknown[]> = T extends readonly [infer Only extends string]
  ? Only
  : T extends readonly [infer First extends string, ...infer Rest]
    ? `${First}, ${Joined<Rest>}`
    : ''

type Tuple<U, Last = LastOf<U>> = [U] extends [never] ? [] : [...Tuple<Exclude<U, Last>>, Last]
type LastOf<U> = (U extends unknown ? (member: () => U) => void : never) extends (member: infer I) => void
  ? I extends () => infer L
    ? L
    : never
  : never

/** The events of `T` that no event of `In` is named like. */
type Foreign<T, In> = Exclude<NameOf<T>, NameOf<In>>

type KeptApart<K extends string, Under extends string> =
  `this operator keeps its state by ${Listed<Under>}, and the stream is kept by ${K}`
type Rekey<Under extends string> = `put .through(topic) with a key of ${Listed<Under>} before it`
type Lacks<Names extends string> = `this operator also needs ${Listed<Names>}: merge a stream of that with it`
type Refuses<Names extends string, Takes extends string> =
  `this operator does not take ${Listed<Names>}, it takes ${Listed<Takes>}`
type Between = 'put an operator before it that makes one of the other'
type Mismatch<What extends string, Has extends string, Is extends string> =
  `this ${What} carries ${Listed<Has>}, and the stream is of ${Listed<Is>}: use the ${What} of ${Listed<Is>}`
type Apart<One extends string, Other extends string> =
  `cannot merge a stream kept by ${One} with one kept by ${Other}: bring one through(topic) to the other key`

/**
 * Does an operator fit a stream: every event of the stream named, every event it needs there, and its key
 * held?
 */
export type Fits<T, K extends string, In, Under extends string, System extends string> = [
  Foreign<T, In>,
] extends [never]
  ? [Exclude<Foreign<In, T>, System>] extends [never]
    ? K extends Under
      ? unknown
      : GraphTypeError<`${KeptApart<K, Under>}: ${Rekey<Under>}`>
    : GraphTypeError<Lacks<Exclude<Foreign<In, T>, System>>>
  : GraphTypeError<`${Refuses<Foreign<T, In>, Exclude<NameOf<In>, System>>}: ${Between}`>

/** Does a topic or a sink fit a stream? */
export type Carries<T, E, What extends string> = [Foreign<T, E> | Foreign<E, T>] extends [never]
  ? unknown
  : GraphTypeError<Mismatch<What, NameOf<E>, NameOf<T>>>

/** Do streams have one key? */
export type SameKey<Keys extends readonly string[]> = {
  readonly [I in keyof Keys]: Keys[I] extends Keys[0]
    ? unknown
    : GraphTypeError<Apart<Keys[I], Keys[0]>>
}

/** Does a source have the channels that are asked for? */
export type Offers<Source extends string, Has extends string, Wants extends readonly string[]> = {
  readonly [I in keyof Wants]: Wants[I] extends Has
    ? Wants[I]
    : GraphTypeError<`${Source} has no channel ${Wants[I]}, it has ${Listed<Has>}`>
}
