/**
 * What decides which events meet: a named function from an event to a text. `N` is its name; `Up` names the
 * coarser keys that hold it (an instrument lies within its pair, a pair within its asset).
 */
export interface Key<in E, N extends string, Up extends string = never> {
  readonly name: N
  readonly of: (event: E) => string
  /** The next coarser key, if there is one. */
  readonly within: AnyKey | undefined
  readonly up?: Up
}

export interface AnyKey {
  readonly name: string
  readonly of: (event: never) => string
  readonly within: AnyKey | undefined
}

/** A key by itself. */
export const key = <N extends string, E>(name: N, of: (event: E) => string): Key<E, N> =>
  Object.freeze({ name, of, within: undefined })

/**
 * A key whose groups lie inside the groups of another: what is together by `coarser` is together by this,
 * in parts.
 */
export const keyWithin = <N extends string, E, M extends string, Up extends string>(
  name: N,
  of: (event: E) => string,
  coarser: Key<E, M, Up>,
): Key<E, N, M | Up> => Object.freeze({ name, of, within: coarser })

/** Does a group of `coarse` hold whole groups of `fine`? */
export const holds = (coarse: string, fine: AnyKey): boolean => {
  for (let at: AnyKey | undefined = fine; at !== undefined; at = at.within)
    if (at.name === coarse) return true
  return false
}
