import type { Described } from '../graph/describe.ts'
import type { Plan } from '../graph/plan.ts'
import type { KafkaPlace } from './kafka-place.ts'
import type { RegistryPlace } from './registry-place.ts'
import type { SimSettings } from './part/sim.ts'
import type { Folders } from './settings.ts'
import type { SourceChoice } from './source.ts'

/** Everything that a run was asked for. */
export interface LaunchOptions {
  readonly file: string
  readonly plan: Plan
  readonly described: Described
  readonly source: SourceChoice
  /** Where the log is, when it is not in the folder. */
  readonly kafka: KafkaPlace | undefined
  /** Where the schemas of `json` and `avro` topics are registered. */
  readonly registry: RegistryPlace | undefined
  readonly folders: Folders
  readonly port: number
  readonly forMs: number | undefined
  readonly eventsMax: number | undefined
  /** Times real time; undefined is as fast as it goes. */
  readonly speed: number | undefined
  readonly lingerMs: number | undefined
  readonly rowsMax: number
  readonly rebuild: boolean
  /** A run was in this folder before, and this one goes on where it ended. */
  readonly again: boolean
  readonly quiet: boolean
  readonly json: boolean
  readonly sim: Omit<SimSettings, 'truth'>
}
