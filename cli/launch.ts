import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Fleet } from '../deploy/driver/fleet.ts'
import type { PartMessage } from '../deploy/driver/fleet.ts'
import { KtError } from '../graph/error.ts'
import { startChdb } from '../sinks/driver/chdb.ts'
import type { RunningChdb } from '../sinks/driver/chdb.ts'
import { Board } from './board.ts'
import type { LaunchOptions } from './asked.ts'
import type { Absent } from './replay.ts'
import { claimFolder } from './claim.ts'
import type { ShardSettings } from './part/shard.ts'
import type { ClickhouseSettings } from './part/clickhouse.ts'
import { replicationAsked } from './server.ts'
import type { LakeSettings } from './part/lake.ts'
import type { SimSettings } from './part/sim.ts'
import { EXIT, say } from './outcome.ts'
import { meanRun, writeRun } from './settings.ts'
import type { RunFile } from './settings.ts'

const part = (name: string): string => join(import.meta.dirname, 'part', `${name}.ts`)
/** Rows of a demo should be seen in the lake while one watches; a real run takes the graph's own pace. */
const DEMO_ROLL_MS = 10_000
const DRAIN_MS = 60_000

/** One run: its processes, in the order in which they need each other, and how it ends. */
export class Launch {
  readonly #options: LaunchOptions
  readonly #fleet: Fleet
  readonly #board: Board
  #end!: (why: 'done' | 'asked' | Error) => void
  readonly #ended: Promise<'done' | 'asked' | Error>
  #chdb: RunningChdb | undefined

  constructor(options: LaunchOptions) {
    this.#options = options
    this.#ended = new Promise((end) => (this.#end = end))
    this.#board = new Board(options)
    this.#fleet = new Fleet({
      logs: options.folders.logs,
      message: (name, message) => this.#hear(name, message),
      failed: (_, error) => this.#end(error as Error),
      restarted: (name, restarts) =>
        this.#board.note(`part "${name}" died and was started again (${restarts})`),
    })
  }

  async run(): Promise<number> {
    const release = await claimFolder(this.#options.folders.root)
    const asked = this.#listen()
    try {
      await this.#start()
      // One that cannot begin is not what the next command means.
      meanRun(this.#options.folders.root)
      const { forMs } = this.#options
      if (forMs !== undefined) void pause(forMs, undefined, { ref: false }).then(() => this.#end('done'))
      const why = await this.#ended
      await this.#stop(why)
      if (why instanceof Error) throw why
      return EXIT.ok
    } catch (error) {
      await this.#fleet.stopAll()
      await this.#chdb?.stop()
      throw error
    } finally {
      this.#board.close()
      await release().catch(() => {})
      for (const [signal, listener] of asked) process.off(signal, listener)
    }
  }

  /**
   * Ctrl-C once drains and checkpoints; twice stops now. SIGTERM only ever asks: sent to a group, it comes
   * once more from the process that started this one.
   */
  #listen(): readonly (readonly [NodeJS.Signals, () => void])[] {
    let times = 0
    const ask = (signal: NodeJS.Signals): void => {
      if (times++ > 0) {
        if (signal === 'SIGINT') process.exit(EXIT.interrupted)
        return
      }
      say('\nstopping: rows go to the log, states to a checkpoint, the backlog to the sinks (again: at once)')
      this.#end('asked')
    }
    const listeners = (['SIGINT', 'SIGTERM'] as const).map((signal) => [signal, () => ask(signal)] as const)
    for (const [signal, listener] of listeners) process.on(signal, listener)
    return listeners
  }

  async #start(): Promise<void> {
    const { folders, file, source, sim } = this.#options
    const { speed, lingerMs, rowsMax, rebuild, eventsMax } = this.#options
    const endpoints = source.kind === 'sim' ? await this.#startSim(sim) : {}
    const clickhouse = await this.#startClickhouse()
    this.#save(clickhouse)
    const settings: ShardSettings = {
      root: folders.root,
      file,
      source: source.text,
      endpoints,
      speed,
      lingerMs,
      rowsMax,
      rebuild,
      eventsMax,
    }
    const { metrics, absent } = await this.#fleet.start({
      name: 'shard',
      file: part('shard'),
      settings,
      restart: source.kind === 'replay' ? 'never' : 'always',
    })
    const load: ClickhouseSettings = {
      root: folders.root,
      file,
      ...clickhouse,
      passwordFile: clickhouse.passwordFile,
      drainMs: DRAIN_MS,
    }
    const lake: LakeSettings = {
      root: folders.root,
      file,
      rollMs: source.kind === 'sim' ? DEMO_ROLL_MS : undefined,
      cut: source.kind === 'replay' ? 'events' : 'clock',
    }
    await Promise.all([
      this.#fleet.start({
        name: 'sink-clickhouse',
        file: part('clickhouse'),
        settings: load,
        restart: 'always',
        finishes: true,
      }),
      this.#fleet.start({
        name: 'sink-lake',
        file: part('lake'),
        settings: lake,
        restart: 'always',
        finishes: true,
      }),
    ])
    this.#board.started(
      ['sim', 'shard', 'sink-clickhouse', 'sink-lake'].map((name) => [name, this.#fleet.pid(name)]),
      clickhouse.url,
      this.#chdb?.pid,
      metrics as string | undefined,
    )
    this.#board.lacks((absent ?? []) as readonly Absent[])
  }

  #save(clickhouse: NonNullable<RunFile['clickhouse']>): void {
    const { folders, file, plan, described, source, kafka, registry } = this.#options
    const { name: graph } = plan
    writeRun(folders.root, { graph, file, source: source.text, clickhouse, kafka, registry, plan: described })
  }

  async #startSim(
    sim: Omit<SimSettings, 'truth'>,
  ): Promise<Readonly<Record<string, { socket: string; rest: string }>>> {
    const settings: SimSettings = { ...sim, truth: join(this.#options.folders.root, 'truth.jsonl') }
    const { endpoints } = await this.#fleet.start({
      name: 'sim',
      file: part('sim'),
      settings,
      restart: 'never',
    })
    return endpoints as Readonly<Record<string, { socket: string; rest: string }>>
  }

  /** The server that was named, or the embedded one; without either the sink waits for one to come. */
  async #startClickhouse(): Promise<{ url: string; user: string; passwordFile: string | undefined }> {
    const { folders, port } = this.#options
    const user = process.env['KT_CLICKHOUSE_USER'] ?? 'default'
    const named = process.env['KT_CLICKHOUSE_URL']
    if (named !== undefined) {
      replicationAsked()
      return { url: named, user, passwordFile: undefined }
    }
    const chdb = await startChdb({ dir: folders.clickhouse, port })
    if (chdb.kind === 'running') {
      this.#chdb = chdb
      chdb.onRestart((restarts) =>
        this.#board.note(`the embedded ClickHouse died and was started again (${restarts})`),
      )
      return { url: chdb.url, user: chdb.user, passwordFile: chdb.passwordFile }
    }
    const [why] = chdb.why.split('\n')
    this.#board.note(
      `no embedded ClickHouse: ${why}. Its sink waits; set KT_CLICKHOUSE_URL, or ask the lake.`,
    )
    return { url: `http://127.0.0.1:${port === 0 ? 8123 : port}`, user, passwordFile: undefined }
  }

  #hear(name: string, message: PartMessage): void {
    if (message.kind === 'status') this.#board.status(name, message.status)
    else if (message.kind === 'done') this.#end('done')
    else if (message.kind === 'failed') {
      const { message: what } = message.error as { readonly message?: string }
      const file = relative('.', join(this.#options.folders.logs, `${name}.log`))
      this.#board.note(`part "${name}": ${String(what)} (where: ${file})`)
    }
  }

  /** First what feeds, then what reads: each part finds all that the one before it wrote. */
  async #stop(why: 'done' | 'asked' | Error): Promise<void> {
    const { folders, kafka } = this.#options
    const clean = [await this.#fleet.stop('shard')]
    const sinks = ['sink-clickhouse', 'sink-lake'].map((name) => this.#fleet.stop(name, DRAIN_MS + 10_000))
    clean.push(...(await Promise.all(sinks)))
    await this.#fleet.stopAll()
    await this.#chdb?.stop()
    this.#board.ended(why === 'done' || why === 'asked')
    if (clean.includes(false) && !(why instanceof Error)) {
      throw new KtError(
        'KT5003',
        'a part did not finish: it was killed when its time was over, or it failed',
        {
          where: folders.logs,
          why: 'The machine is too busy, or a disk or a server does not answer.',
          fix: 'Start again with the same command: what is in the log is not lost, and does not come twice.',
        },
      )
    }
    if (kafka === undefined && !existsSync(folders.log)) this.#board.note('nothing was written')
  }
}
