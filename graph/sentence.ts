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
    : GraphTypeError<`this operator also needs ${Listed<Exclude<Foreign<In, T>, System>>}: merge a stream of that with this one`>
  : GraphTypeError<`this operator does not take ${Listed<Foreign<T, In>>}, it takes ${Listed<Exclude<NameOf<In>, System>>}: put an operator before it that makes one of the other`>

/** Does a topic or a sink fit a stream? */
export type Carries<T, E, What extends string> = [Foreign<T, E> | Foreign<E, T>] extends [never]
  ? unknown
  : GraphTypeError<`this ${What} carries ${Listed<NameOf<E>>}, and the stream is of ${Listed<NameOf<T>>}: use the ${What} of ${Listed<NameOf<T>>}`>

/** Do streams have one key? */
export type SameKey<Keys extends readonly string[]> = {
  readonly [I in keyof Keys]: Keys[I] extends Keys[0]
    ? unknown
    : GraphTypeError<`cannot merge a stream kept by ${Keys[I]} with one kept by ${Keys[0]}: bring one through(topic) to the key of the other`>
}

/** Does a source have the channels that are asked for? */
export type Offers<Source extends string, Has extends string, Wants extends readonly string[]> = {
  readonly [I in keyof Wants]: Wants[I] extends Has
    ? Wants[I]
    : GraphTypeError<`${Source} has no channel ${Wants[I]}, it has ${Listed<Has>}`>
}
