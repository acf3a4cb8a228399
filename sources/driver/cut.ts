import { compile } from '../mapping/compile.ts'
import { partsOf } from '../mapping/tree.ts'
import type { Tree } from '../mapping/tree.ts'
import type { Recorded } from '../replay.ts'
import type { AnySource } from '../../graph/source.ts'
import type { Venue } from '../venue.ts'
import { loadMapping } from './jsonata.ts'

/** A hole: the messages of a channel whose ids lie in a range, both ends included. */
export interface Hole {
  readonly source: AnySource
  readonly channel: string
  readonly symbol: string
  readonly first: number
  readonly last: number
}

/** A `drop` for a recording that cuts a hole into it, as a lost connection would. */
export const cut = ({ source, channel, symbol, first, last }: Hole): ((recorded: Recorded) => boolean) => {
  const { mappings } = (source as Venue<string, unknown>).market
  const files = mappings.map(loadMapping)
  const file = files.find((one) => partsOf(one.file, one.tree).has(channel))
  const part = file === undefined ? undefined : partsOf(file.file, file.tree).get(channel)
  const run = compile(source.name, channel, part as Tree, { long: 0 }).run
  return (recorded) => {
    if (recorded.what !== 'message' || recorded.source !== source.name) return false
    if (recorded.channel !== channel || recorded.symbol !== symbol) return false
    const made = run(JSON.parse(new TextDecoder().decode(recorded.bytes)), {}) as Readonly<
      Record<string, unknown>
    >
    return Object.values(made)
      .flat()
      .some((row) => {
        const ids = row as { readonly first?: number; readonly last?: number }
        return ids.first !== undefined && ids.last !== undefined && ids.first >= first && ids.last <= last
      })
  }
}
