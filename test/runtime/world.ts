import { graph } from '../../graph/graph.ts'
import { operator, plain, stateless } from '../../graph/operator.ts'
import { plan } from '../../graph/plan.ts'
import type { ObjectStore } from '../../graph/port.ts'
import { count, int, micros, name, schema } from '../../graph/schema.ts'
import type { Event } from '../../graph/schema.ts'
import type { Frame, FrameOf, Source } from '../../graph/source.ts'
import { topic } from '../../graph/topic.ts'
import { keyWithin, key } from '../../graph/key.ts'
import { systemTopics } from '../../market/topics.ts'
import { control } from '../../market/system.ts'
import type { Control } from '../../market/system.ts'
import type { ShardReport } from '../../runtime/status.ts'

export interface Tap extends Event<'tap'> {
  readonly instrument: string
  readonly value: number
  readonly time: number
  readonly received: number
}
export interface Sum extends Event<'sum'> {
  readonly instrument: string
  readonly sum: number
  readonly received: number
}
interface Totals {
  group: string
  total: number
  ticks: number
}
export interface Total extends Event<'total'> {
  readonly group: string
  readonly total: number
  readonly ticks: number
  readonly received: number
}

export const tap = schema<Tap>('tap', 'a value', {
  instrument: name('which'),
  value: count('what'),
  time: micros('when'),
  received: micros('when'),
})
export const sum = schema<Sum>('sum', 'values so far', {
  instrument: name('which'),
  sum: count('what'),
  received: micros('when'),
})
export const total = schema<Total>('total', 'sums of a group so far', {
  group: name('which'),
  total: count('what'),
  ticks: int('ticks seen'),
  received: micros('when'),
})

export const byGroup = key('group', (event: { readonly instrument: string } | { readonly group: string }) =>
  'group' in event ? event.group : event.instrument.slice(0, 1),
)
export const byOne = keyWithin('one', (event: { readonly instrument: string }) => event.instrument, byGroup)

export const read = Object.freeze({
  name: 'read',
  inputs: [],
  outputs: [tap],
  reports: [],
  key: { name: 'frame', of: () => '', within: undefined },
  frames: true,
  followedBy: [],
  state: stateless,
  options: {},
  on: {
    frame: (_: unknown, frame: Frame<Tap>, emit: { tap: (row: object) => void }) =>
      frame.read((_schema, row) => emit.tap(row)),
  },
}) as unknown as import('../../graph/operator.ts').Operator<FrameOf<Tap>, Tap, string>

export const sums = operator({
  name: 'sums',
  inputs: { tap },
  outputs: [sum],
  key: byOne,
  state: plain(1, () => ({ sum: 0 })),
  on: {
    tap: (state, event: Tap, emit) => {
      state.sum += event.value
      emit.sum({ instrument: event.instrument, sum: state.sum, received: event.received })
    },
  },
})

export const totals = operator({
  name: 'totals',
  inputs: { sum, control },
  outputs: [total],
  key: byGroup,
  state: {
    version: 1,
    create: (group: string) => ({ group, total: 0, ticks: 0 }),
    save: (state: Totals) => ({ ...state }),
    load: (saved: Totals) => ({ ...saved }),
  },
  on: {
    sum: (state, event: Sum, emit) => {
      state.total = (state.total * 31 + event.sum) % 1_000_003
      if (state.total % 3 === 0) emit.total({ ...state, received: event.received })
    },
    control: (state, event: Control, emit) => {
      state.ticks++
      state.total = (state.total * 17 + 1) % 1_000_003
      emit.total({ ...state, received: event.received })
    },
  },
})

/** The taps of a pretended venue. */
export const venue: Source<'venue', { tap: Tap }> = {
  name: 'venue',
  channels: { tap: { schemas: [tap], card: {} as never } },
  open: () => ({ close: () => {}, renew: () => {}, status: () => [], reads: () => [] }),
}

const small = graph('small', (g) => {
  const { tap: taps } = g.source(venue, { channels: ['tap'], universe: {}, keep: byGroup })
  const added = taps.via(read).via(sums)
  added.through(topic('sum', { schema: sum, key: byGroup, partitions: 2 }))
  added.via(totals).through(topic('total', { schema: total, key: byGroup }))
})

export const smallPlan = plan(small, {
  topics: systemTopics,
  sink: () => {
    throw new Error('no sinks here')
  },
})

/** A message of the pretended venue. */
export const tapFrame = (
  number: number,
  instrument: string,
  value: number,
  received: number,
): Frame<never> => ({
  source: 'venue',
  channel: 'tap',
  connection: 0,
  epoch: 0,
  frame: number,
  received,
  bytes: new Uint8Array(0),
  symbol: undefined,
  read: (emit) => emit('tap', { instrument, value, time: received, received }),
})

/** An object store in memory; it may be told to tear the next write, as a crash would. */
export const memoryObjects = (): ObjectStore & { readonly files: Map<string, Uint8Array> } => {
  const files = new Map<string, Uint8Array>()
  return {
    files,
    get: async (path) => files.get(path),
    put: async (path, bytes) => void files.set(path, bytes),
    putIfAbsent: async (path, bytes) => !files.has(path) && files.set(path, bytes) !== undefined,
    list: async (prefix) => [...files.keys()].filter((path) => path.startsWith(prefix)).toSorted(),
    remove: async (path) => void files.delete(path),
  }
}

/** A report that keeps nothing but the reason of a death. */
export const quietReport = (died: (error: unknown) => void = () => {}): ShardReport => ({
  frame: () => {},
  row: () => {},
  durable: () => {},
  deadLetter: () => {},
  dropped: () => {},
  backlog: () => {},
  checkpoint: () => {},
  checkpointFailed: () => {},
  brokenCheckpoint: () => {},
  recovered: () => {},
  follows: () => {},
  died,
})
