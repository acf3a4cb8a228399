import { Command, CommanderError } from 'commander'
import { enableCompileCache } from 'node:module'
import { EXIT, exitCodes, fail } from './outcome.ts'
import { storageCommands } from './storage.ts'

enableCompileCache()
// A reader that has seen enough, such as head, ends the command; that is no failure.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(process.exitCode ?? EXIT.ok)
  })

const FIRST = `kt dev                                  the demo: no keys, no Docker; leave it running
kt sql "select * from basis_latest"     in another terminal; docs/sql.md has what can be asked
kt graph show                           what runs
kt explain KT3002                       what an error means, and what to do`

/** Each command's body is loaded when it runs, so that `kt --help` waits for nothing. */
const program = new Command('kt')
  .description('Exchange market data as a typed dataflow graph.')
  .version('0.1.0')
  .option('--json', 'one JSON document on stdout')
  .option('-q, --quiet', 'only data and errors')
  .option('--no-color', 'no colours')
  .showSuggestionAfterError()
  .exitOverride()
  .addHelpText('after', `\nBegin with:\n${FIRST.replaceAll(/^/gm, '  ')}`)
  .addHelpText('after', `\nExit codes:\n${exitCodes.replaceAll(/^/gm, '  ')}`)

const run =
  <A extends unknown[]>(load: () => Promise<(...args: A) => Promise<number>>) =>
  async (...args: A): Promise<void> => {
    // What all commands have, a parent takes wherever it stands: hand it down.
    const [given, command] = args.slice(-2) as [object, Command]
    Object.assign(given, command.optsWithGlobals())
    try {
      process.exitCode = await (await load())(...args)
    } catch (error) {
      fail(error)
    }
  }

const source = '--source <source>'
const sourceHelp = 'sim, live, replay:PATH[,PATH], or lake:PATH: again, from the rows that a lake holds'

program
  .command('dev')
  .description('run graph/basis.ts on the simulated exchange, with everything embedded')
  .argument('[file]', 'graph file', 'graph/basis.ts')
  .option('--port <port>', 'ClickHouse HTTP port', '8123')
  .option('--data <dir>', 'where everything is kept')
  .option('--for <duration>', 'stop after this long (90s, 5m)')
  .option('--rebuild', 'make the states again from the log')
  .option('--rate <n>', 'messages per second of the simulated exchange', '5000')
  .option('--pairs <n>', 'pairs of the simulated exchange', '60')
  .option('--seed <n>', 'seed of the simulated exchange', '1')
  .option('--faults <preset>', 'none, calm or cruel', 'none')
  .action(run(async () => (await import('./command/run.ts')).dev))

const graph = program.command('graph').description('check, show, plan and run graphs')
graph
  .command('check')
  .description('types, schemas, keys and names; needs no network')
  .argument('[files...]', 'graph files; of several, those without a graph are passed over', [
    'graph/basis.ts',
  ])
  .action(run(async () => (await import('./command/graph.ts')).check))
graph
  .command('show')
  .description('the graph as a picture of text')
  .argument('[file]', 'graph file', 'graph/basis.ts')
  .option('--format <format>', 'ascii, mermaid, svg or json', 'ascii')
  .action(run(async () => (await import('./command/graph.ts')).show))
graph
  .command('plan')
  .description('stages, shards, topics, tables, and what would change; exit code 2 when something would')
  .argument('[file]', 'graph file', 'graph/basis.ts')
  .option(source, sourceHelp, 'sim')
  .option('--data <dir>', 'where the last run kept everything')
  .option('--out <file>', 'write the plan as JSON')
  .action(run(async () => (await import('./command/graph.ts')).plan))
graph
  .command('run')
  .description('run a graph until Ctrl-C, or until a recording ends')
  .argument('[file]', 'graph file', 'graph/basis.ts')
  .option(source, sourceHelp, 'sim')
  .option('--for <duration>', 'stop after this long (90s, 5m)')
  .option('--max-events <n>', 'stop after this many messages')
  .option('--data <dir>', 'where everything is kept')
  .option('--port <port>', 'ClickHouse HTTP port; 0 takes any', '8123')
  .option('--speed <speed>', 'of a replay: max, or times real time (1, 10)', 'max')
  .option('--linger <ms>', 'how long a row may wait for company, over all topics')
  .option('--rows-max <n>', 'rows of one batch at most', '8192')
  .option('--rebuild', 'make the states again from the log')
  .option('--rate <n>', 'sim: messages per second', '5000')
  .option('--pairs <n>', 'sim: pairs', '60')
  .option('--seed <n>', 'sim: seed', '1')
  .option('--faults <preset>', 'sim: none, calm or cruel', 'none')
  .action(run(async () => (await import('./command/run.ts')).run))

program
  .command('sql')
  .description('ask ClickHouse, or the lake through DuckDB')
  .argument('[query]', 'SQL; without it, standard input. Try "show tables" and "describe trade"')
  .option('--on <engine>', 'clickhouse or lake', 'clickhouse')
  .option('-f, --file <file>', 'read the query from a file')
  .option('--format <format>', 'table, csv or json', 'table')
  .option('--data <dir>', 'which run')
  .action(run(async () => (await import('./command/sql.ts')).sql))

storageCommands(program, run)

const topics = program.command('topic').description('look at topics, and make them in Kafka')
topics
  .command('ls')
  .description('topics with the offsets that they hold, rows and size')
  .option('--data <dir>', 'which run')
  .action(run(async () => (await import('./command/topic.ts')).list))
topics
  .command('tail')
  .description('rows of a topic as JSON lines')
  .argument('<topic>', 'such as quote; kt topic ls lists them')
  .option('-n <rows>', 'the last n rows', '10')
  .option('-f, --follow', 'go on as rows come')
  .option('--data <dir>', 'which run')
  .action(run(async () => (await import('./command/topic.ts')).tail))
topics
  .command('plan')
  .description('how topics in Kafka differ from what a graph wants; exit code 2 when they do')
  .argument('[file]', 'graph file', 'graph/basis.ts')
  .option('--data <dir>', 'the Kafka of this run, instead of KT_KAFKA_BROKERS')
  .action(run(async () => (await import('./command/topic-settings.ts')).planned))
topics
  .command('apply')
  .description('make topics in Kafka as a graph wants them: partitions and settings')
  .argument('[file]', 'graph file', 'graph/basis.ts')
  .option('--data <dir>', 'the Kafka of this run, instead of KT_KAFKA_BROKERS')
  .action(run(async () => (await import('./command/topic-settings.ts')).apply))

program
  .command('lag')
  .description('how far sinks and stages are behind their topics: records, rows, and the oldest unread row')
  .option('--by <what>', 'reader, topic or partition', 'reader')
  .option('--fail-over <limit>', 'exit code 2 when a reader is further behind: rows (10k) or age (30s)')
  .option('--watch', 'again every 2 s, until Ctrl-C')
  .option('--data <dir>', 'which run')
  .action(run(async () => (await import('./command/lag.ts')).lag))

program
  .command('verify')
  .description('are the data of a run right; exit code 2 when they are not')
  .argument(
    '[what]',
    `counts: log = ClickHouse = lake, row for row. gaps: all that is missing is in the gap ledger, and
healed. dupes: nothing is there twice. books: the best prices are those of the books.
funding: the final rates are those that venues said. all: all of these`,
    'counts',
  )
  .option(
    '--since <duration>',
    'only what is so much older than the newest record (90s, 8h, 7d), and younger',
  )
  .option('--digest', 'print the digest of the rows of each topic')
  .option('--on <engines>', 'clickhouse, lake or both', 'both')
  .option('--data <dir>', 'which run')
  .action(run(async () => (await import('./command/verify.ts')).verify))

program
  .command('doctor')
  .description('Node, packages, ports, disk, log, lake, ClickHouse')
  .option('--data <dir>', 'which run')
  .action(run(async () => (await import('./command/doctor.ts')).doctor))

program
  .command('record')
  .description('write what a source sends to a tape')
  .argument('<source>', 'binance.spot, binance.usdm, bybit.linear, bybit.spot')
  .option('--channels <list>', 'channels', 'trade,book')
  .option('--pairs <list>', 'pairs such as BTC-USDT', 'BTC-USDT')
  .option('--for <duration>', 'how long', '60s')
  .option('--out <dir>', 'where the tape goes', 'data/tape')
  .option('--endpoint <url,url>', 'another socket and REST address, such as kt sim prints')
  .action(run(async () => (await import('./command/record.ts')).record))

program
  .command('replay')
  .description('run a graph on a recording, or make again what follows from topics of a run, beside it')
  .argument('[path]', 'a recording: files or folders, separated by commas')
  .option('--graph <file>', 'graph file (default: graph/basis.ts; with --from-topic that of the run)')
  .option('--speed <speed>', 'max, or times real time (1, 10)', 'max')
  .option('--from-topic <topics...>', 'topics to read, instead of a recording')
  .option('--into <name>', 'with --from-topic: its name; tables go to the database kt_NAME')
  .option('--follow', 'with --from-topic: go on as the run goes on, until Ctrl-C')
  .option('--for <duration>', 'with --follow: stop after this long (90s, 5m)')
  .option('--drop', 'with --into: remove it, and what the log keeps for it')
  .option('--switch', 'with --into: point the views TABLE_current at it; --into live: back at the run')
  .option('--data <dir>', 'where everything is kept; with --into: which run')
  .option('--port <port>', 'ClickHouse HTTP port; 0 takes any', '0')
  .action(run(async () => (await import('./command/run.ts')).replay))

program
  .command('venue')
  .description('look at the markets that kt knows')
  .command('check')
  .description('how messages of each channel are read, and why; 65: a mapping, 2: messages that do not fit')
  .argument('[sources...]', 'such as binance.spot; without any, all')
  .option('--frames <paths>', 'recorded messages instead of those of the simulated exchange')
  .option('--emit', 'print the generated code')
  .action(run(async () => (await import('./command/venue.ts')).check))

const sim = program
  .command('sim')
  .description('the simulated exchange: Binance and Bybit on loopback')
  .option('--seed <n>', 'seed', '1')
  .option('--pairs <n>', 'pairs', '60')
  .option('--rate <n>', 'messages per second, over all markets', '5000')
  .option('--faults <preset>', 'none, calm or cruel', 'none')
  .option('--port <port>', 'first of the ports, one a market; 0 takes any', '9700')
  .option('--truth <file>', 'write what is true to this file')
  .action(run(async () => (await import('./command/sim.ts')).sim))
sim
  .command('truth')
  .description('what a simulated exchange says was true')
  .argument('<file>', 'truth.jsonl in the data folder of a run on sim')
  .action(run(async () => (await import('./command/sim.ts')).truth))

const notebook = program.command('notebook').description('TypeScript notebooks over the lake')
const notebookBody = () => import('./command/notebook.ts')
notebook
  .command('list')
  .description('notebooks and their questions')
  .argument('[folder]', 'where to look', 'notebooks')
  .action(run(async () => (await notebookBody()).list))
notebook
  .command('new')
  .description('make notebooks/NAME.ipynb, which runs and is yours to change')
  .argument('<name>', 'small letters, digits and dashes')
  .action(run(async () => (await notebookBody()).create))
notebook
  .command('run')
  .description('execute over the lake of a run, and write the outputs into the file')
  .argument('<file>', 'an .ipynb file')
  .option('--out <file>', 'write the outputs into another file')
  .option('--check', 'write nothing; exit code 2 when a value is not what its cell expects')
  .option('--data <dir>', 'which run')
  .action(run(async () => (await notebookBody()).run))
notebook
  .command('check')
  .description('type-check the cells')
  .argument('<file>', 'an .ipynb file')
  .action(run(async () => (await notebookBody()).check))
notebook
  .command('render')
  .description('write it with its outputs as one HTML page')
  .argument('<file>', 'an .ipynb file')
  .option('--out <file>', 'the page; beside the notebook when it is left out')
  .action(run(async () => (await notebookBody()).render))
notebook
  .command('open')
  .description('what to type to work on it in VS Code or Jupyter; exit code 2 while a kernel is missing')
  .argument('<file>', 'an .ipynb file')
  .option('--data <dir>', 'which run')
  .action(run(async () => (await notebookBody()).open))

program
  .command('explain')
  .description('the long text of an error code')
  .argument('<code>', 'such as KT3002, or 3002')
  .action(run(async () => (await import('./command/explain.ts')).explain))

program.commands.forEach((command) => inherit(command))
function inherit(command: Command): void {
  command.exitOverride().showSuggestionAfterError()
  command.option('--json', 'one JSON document on stdout').option('-q, --quiet', 'only data and errors')
  command.commands.forEach((one) => inherit(one))
}

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) fail(error)
  else process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
}
