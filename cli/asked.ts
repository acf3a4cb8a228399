import type { Described } from '../graph/describe.ts'
import type { Plan } from '../graph/plan.ts'
import type { SimSettings } from './part/sim.ts'
import type { Folders } from './settings.ts'
import type { SourceChoice } from './source.ts'

/** Everything that a run was asked for. */
export interface LaunchOptions {
  readonly file: string
  readonly plan: Plan
  readonly described: Described
  readonly source: SourceChoice
  readonly folders: Folders
  readonly port: number
  readonly forMs: number | undefined
  readonly eventsMax: number | undefined
  /** Times real time; undefined is as fast as it goes. */
  readonly speed: number | undefined
  readonly lingerMs: number | undefined
  readonly rowsMax: number
  readonly rebuild: boolean
  readonly quiet: boolean
  readonly json: boolean
  readonly sim: Omit<SimSettings, 'truth'>
}
