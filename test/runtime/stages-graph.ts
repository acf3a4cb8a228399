import { graph } from '../../graph/graph.ts'
import { operator, plain } from '../../graph/operator.ts'
import { plan } from '../../graph/plan.ts'
import { count, micros, name, schema } from '../../graph/schema.ts'
import type { Event } from '../../graph/schema.ts'
import { topic } from '../../graph/topic.ts'
import { systemTopics } from '../../market/topics.ts'
import { control } from '../../market/system.ts'
import type { Control } from '../../market/system.ts'
import { byGroup, byOne, read, sum, sums, tap, total, totals, venue } from './world.ts'
import type { Sum, Tap } from './world.ts'

interface Left extends Event<'left'> {
  readonly instrument: string
  readonly seen: number
  readonly received: number
}
interface Right extends Event<'right'> {
  readonly instrument: string
  readonly seen: number
  readonly received: number
}
interface Mix extends Event<'mix'> {
  readonly group: string
  readonly hash: number
  readonly received: number
}

const sided = { instrument: name('which'), seen: count('what'), received: micros('when') }
const left = schema<Left>('left', 'one side', sided)
const right = schema<Right>('right', 'other side', sided)
const mix = schema<Mix>('mix', 'all that came, in its order', {
  group: name('which'),
  hash: count('what'),
  received: micros('when'),
})

/** A number that depends on all that came, and on its order. */
export const hashed = (hash: number, kind: number, value: number): number =>
  (hash * 31 + kind * 7 + value) % 1_000_003

const lefts = operator({
  name: 'lefts',
  inputs: { tap },
  outputs: [left],
  key: byOne,
  state: plain(1, () => ({ seen: 0 })),
  on: {
    tap: (state, { instrument, value, received }: Tap, emit) => {
      for (let i = 0; i <= value % 3; i++) emit.left({ instrument, seen: ++state.seen, received })
    },
  },
})

const rights = operator({
  name: 'rights',
  inputs: { left },
  outputs: [right],
  key: byOne,
  state: plain(1, () => ({ seen: 0 })),
  on: {
    left: (state, { instrument, seen, received }: Left, emit) => {
      for (let i = 0; i <= seen % 2; i++) emit.right({ instrument, seen: ++state.seen, received })
    },
  },
})

const mixed = operator({
  name: 'mixed',
  inputs: { left, right },
  outputs: [mix],
  key: byGroup,
  state: plain(1, () => ({ hash: 0 })),
  on: {
    left: (state, { instrument, seen, received }: Left, emit) => {
      state.hash = hashed(state.hash, 1, seen)
      emit.mix({ group: instrument.slice(0, 1), hash: state.hash, received })
    },
    right: (state, { seen }: Right) => void (state.hash = hashed(state.hash, 2, seen)),
  },
})

/** Takes rows of the sources, rows that follow from them, and all that kt supplies. */
const braided = operator({
  name: 'braided',
  inputs: { tap, sum, control },
  outputs: [mix],
  key: byGroup,
  state: plain(1, () => ({ hash: 0 })),
  on: {
    tap: (state, { value }: Tap) => void (state.hash = hashed(state.hash, 1, value)),
    sum: (state, { instrument, sum: value, received }: Sum, emit) => {
      state.hash = hashed(state.hash, 2, value)
      emit.mix({ group: instrument.slice(0, 1), hash: state.hash, received })
    },
    control: (state, { kind }: Control) => void (state.hash = hashed(state.hash, 3, kind.length)),
  },
})

/** Says nothing for as long as one likes. */
const rare = operator({
  name: 'rare',
  inputs: { tap },
  outputs: [left],
  key: byOne,
  state: plain(1, () => ({ seen: 0 })),
  on: {
    tap: (state, { instrument, value, received }: Tap, emit) => {
      state.seen++
      if (value > 1_000) emit.left({ instrument, seen: state.seen, received })
    },
  },
})

const echo = operator({
  name: 'echo',
  inputs: { tap, left },
  outputs: [mix],
  key: byGroup,
  state: plain(1, () => ({ hash: 0 })),
  on: {
    tap: (state, { instrument, value, received }: Tap, emit) => {
      state.hash = hashed(state.hash, 1, value)
      emit.mix({ group: instrument.slice(0, 1), hash: state.hash, received })
    },
    left: (state, { seen }: Left) => void (state.hash = hashed(state.hash, 2, seen)),
  },
})

/** kt's own topics, and no sinks. */
export const system = {
  topics: systemTopics,
  sink: () => {
    throw new Error('no sinks here')
  },
}
export const source = { channels: ['tap'], universe: {}, keep: byGroup } as const
export const tapTopic = topic('tap', { schema: tap, key: byGroup, partitions: 3 })
const sumTopic = topic('sum', { schema: sum, key: byGroup, partitions: 2 })
const totalTopic = topic('total', { schema: total, key: byGroup })
const mixTopic = topic('mix', { schema: mix, key: byGroup })

/** The same work in one stage, two and three. */
export const work = {
  one: plan(
    graph('work', (g) => {
      const added = g.source(venue, source).tap.via(read).via(sums)
      added.through(sumTopic)
      added.via(totals).through(totalTopic)
    }),
    system,
  ),
  two: plan(
    graph('work', (g) => {
      const added = g.source(venue, source).tap.via(read).through(tapTopic).via(sums)
      added.through(sumTopic)
      added.via(totals).through(totalTopic)
    }),
    system,
  ),
  three: plan(
    graph('work', (g) => {
      const added = g.source(venue, source).tap.via(read).through(tapTopic).via(sums).through(sumTopic)
      added.via(totals).through(totalTopic)
    }),
    system,
  ),
}

/** A stage that reads two topics of one stage, whose rows come by turns. */
export const turns = plan(
  graph('turns', (g) => {
    const some = g.source(venue, source).tap.via(read).through(tapTopic).via(lefts)
    const others = some.via(rights)
    g.merge(
      others.through(topic('right', { schema: right, key: byGroup, partitions: 2 })),
      some.through(topic('left', { schema: left, key: byGroup })),
    )
      .via(mixed)
      .through(mixTopic)
  }),
  system,
)

/** A stage that reads the sources' rows beside what follows from them. */
export const diamond = plan(
  graph('diamond', (g) => {
    const tapped = g.source(venue, source).tap.via(read).through(tapTopic)
    g.merge(tapped, tapped.via(sums).through(sumTopic)).via(braided).through(mixTopic)
  }),
  system,
)

/** A stage that waits for one that writes nothing. */
export const silent = plan(
  graph('silent', (g) => {
    const tapped = g.source(venue, source).tap.via(read).through(tapTopic)
    g.merge(tapped, tapped.via(rare).through(topic('left', { schema: left, key: byGroup })))
      .via(echo)
      .through(mixTopic)
  }),
  system,
)

/** Rows are dealt anew, by another key, and only copied. */
export const copied = plan(
  graph('copied', (g) => {
    g.source(venue, source)
      .tap.via(read)
      .through(tapTopic)
      .through(topic('tap-by-one', { schema: tap, key: byOne, partitions: 4 }))
      .via(sums)
      .through(topic('sum-by-one', { schema: sum, key: byOne, partitions: 2 }))
  }),
  system,
)
