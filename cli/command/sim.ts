import { KtError } from '../../graph/error.ts'
import { startSim } from '../../sources/driver/sim-server.ts'
import { truthSummary } from '../../sources/driver/sim-truth.ts'
import { EXIT, print, printJson, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { faultsOf, wholeNumber } from '../settings.ts'
import { table } from '../table.ts'

interface SimOptions extends GlobalOptions {
  readonly seed: string
  readonly pairs: string
  readonly rate: string
  readonly faults: string
  readonly port: string
  readonly truth?: string
}

/** Run the simulated exchange until Ctrl-C. */
export const sim = async (options: SimOptions): Promise<number> => {
  const first = wholeNumber(options.port, '--port', 0, 65_000)
  const names = ['binance.spot', 'binance.usdm', 'bybit.linear', 'bybit.spot'] as const
  const ports = Object.fromEntries(names.map((name, at) => [name, first === 0 ? 0 : first + at]))
  const started = await startSim({
    seed: wholeNumber(options.seed, '--seed', 0, 2 ** 31),
    pairs: wholeNumber(options.pairs, '--pairs', 1, 500),
    rate: wholeNumber(options.rate, '--rate', 1, 1_000_000),
    faults: faultsOf(options.faults),
    ports,
    ...(options.truth === undefined ? {} : { truthPath: options.truth }),
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    throw new KtError('KT5020', `a port of the simulated exchange is taken: ${error.message}`, {
      fix: 'Stop the other one, or choose others with --port (0 takes any).',
    })
  })
  if (options.json === true) printJson(started.endpoints)
  else
    for (const [name, { socket, rest }] of Object.entries(started.endpoints))
      print(`${name.padEnd(13)} ${socket}   ${rest}`)
  if (options.quiet !== true) say('Ctrl-C stops it')
  await new Promise<void>((stopped) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped())
  })
  await started.stop()
  return EXIT.ok
}

/** Counts of what a simulated exchange sent and broke. */
export const truth = async (file: string, options: GlobalOptions): Promise<number> => {
  const summary = await truthSummary(file)
  if (options.json === true) printJson(summary)
  else {
    const markets = Map.groupBy(summary.counts, ({ venue, kind }) => `${venue} ${kind}`)
    const rows = [...markets].map(([name, counts]) => [
      ...name.split(' '),
      new Set(counts.map(({ symbol }) => symbol)).size,
      counts.reduce((sum, { count }) => sum + count, 0),
    ])
    print(table(['market', 'what', 'symbols', 'records'], rows))
    const seconds = Math.round((summary.toMs - summary.fromMs) / 1000)
    say(`${summary.records} records in ${seconds} s; --json has the counts of each symbol`)
  }
  return EXIT.ok
}
