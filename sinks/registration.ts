import { HostError } from '../graph/error.ts'
import type { ObjectStore, Partition } from '../graph/port.ts'
import type { AnySink } from '../graph/sink.ts'
import type { Ends } from './ends.ts'

/** Where it is written down that a sink ran, and from where on it needs its topic. */
const registration = ({ engine, name }: AnySink): string => `positions/${engine}/sinks/${name}.json`

/** What older versions wrote has no positions. */
interface Registration {
  readonly from?: readonly number[]
}

/**
 * By partition, the offset from which on a sink was to load when it first ran. One that never ran needs its
 * topic from the first rows there are; that is written down once `hold` was told.
 */
export const registered = async (
  objects: ObjectStore,
  { sink, partitions }: { readonly sink: AnySink; readonly partitions: number },
  readEnds: () => Promise<Ends>,
  hold: (from: readonly number[]) => Promise<void>,
): Promise<readonly number[]> => {
  const ran = registration(sink)
  const before = await objects.get(ran)
  if (before !== undefined) return (JSON.parse(new TextDecoder().decode(before)) as Registration).from ?? []
  const ends = await readEnds()
  const from = Array.from({ length: partitions }, (_, partition) => ends.get(partition)?.first ?? 0)
  await hold(from)
  await objects.put(ran, new TextEncoder().encode(`${JSON.stringify({ from })}\n`))
  return from
}

/**
 * KT3002 for a sink that needs a partition from offset `wanted` on, where the log has it from `first` on.
 * `moved`: it has loaded rows before, and begins anew once this was done with its table.
 */
export const overtaken = (
  sink: AnySink,
  table: string,
  { topic, partition, wanted, first }: Partition & { readonly wanted: number; readonly first: number },
  moved?: string,
): HostError => {
  const rows = `offsets ${wanted} to ${first - 1} of topic "${topic}" partition ${partition}`
  const remove = `remove state/${registration(sink)} in the data folder.`
  return new HostError('KT3002', `${rows} are gone`, {
    where: table,
    why:
      moved === undefined
        ? 'Retention has passed the position of this sink, which has not loaded anything yet.'
        : 'Retention has passed the position of this sink.',
    fix: `To begin with what is left, ${moved === undefined ? '' : `${moved}, and `}${remove}`,
    facts: { topic, partition, wanted, first },
    retry: 'never',
  })
}
