import type { Command } from 'commander'

/** Makes a command's action of what loads its body. */
type Run = <A extends unknown[]>(
  load: () => Promise<(...args: A) => Promise<number>>,
) => (...args: A) => Promise<void>

/** The commands that look after what a run stores: `kt lake` and `kt dlq`. */
export const storageCommands = (program: Command, run: Run): void => {
  lakeCommands(program, run)
  letterCommands(program, run)
}

const lakeCommands = (program: Command, run: Run): void => {
  const lakes = program
    .command('lake')
    .description('the tables of the lake: look at them, and look after them')
  const lakeBody = () => import('./command/lake.ts')
  const lakeCommand = (name: string, what: string, ...tables: readonly string[]): Command => {
    const made = lakes.command(name).description(what)
    for (const one of tables) made.argument(one, 'such as trade; without any, all')
    return made
      .option('--data <dir>', 'which run')
      .option('--lake <place>', 'a folder or s3://bucket/prefix, instead of that of the run')
  }
  lakeCommand('ls', 'tables with files, rows and size').action(run(async () => (await lakeBody()).list))
  lakeCommand('stats', 'files by date, and how small they are', '[tables...]').action(
    run(async () => (await lakeBody()).stats),
  )
  lakeCommand('schema', 'columns, types and what they are', '[tables...]').action(
    run(async () => (await lakeBody()).schema),
  )
  lakeCommand('compact', 'join small files into large, sorted ones; a run may go on meanwhile', '[tables...]')
    .option('--target <MB>', 'size of a file', '256')
    .option('--dt <date>', 'only this date')
    .action(run(async () => (await lakeBody()).compact))
  lakeCommand('vacuum', 'remove files that no reader needs', '[tables...]')
    .option('--retain <duration>', 'what was replaced since is kept, 7d at most', '7d')
    .option('--dry-run', 'only say which')
    .action(run(async () => (await lakeBody()).vacuum))
  lakeCommand('pull', 'copy tables into a folder', '[tables...]')
    .option('--to <dir>', 'which; a lake in S3 has its own')
    .action(run(async () => (await lakeBody()).pull))
  lakeCommand('verify', 'is the lake whole by itself; exit code 2 when it is not', '[tables...]').action(
    run(async () => (await lakeBody()).verify),
  )
}

const letterCommands = (program: Command, run: Run): void => {
  const dlq = program
    .command('dlq')
    .description('dead letters: frames that could not be mapped, records that could not be read')
  const dlqBody = () => import('./command/dlq.ts')
  dlq
    .command('list')
    .description('letters with where they came from and why')
    .option('--data <dir>', 'which run')
    .action(run(async () => (await dlqBody()).list))
  dlq
    .command('show')
    .description('one letter with its bytes as they came')
    .argument('<letter>', 'as kt dlq list names it')
    .option('--data <dir>', 'which run')
    .action(run(async () => (await dlqBody()).show))
  dlq
    .command('replay')
    .description('map letters again with the mappings of today; exit code 2 when some still do not map')
    .argument('[letters...]', 'as kt dlq list names them; without any, all')
    .option('--out <file>', 'write their rows as JSON lines')
    .option('--tape <dir>', 'write those that map as a tape, for kt replay')
    .option('--purge', 'remove those that map')
    .option('--data <dir>', 'which run')
    .action(run(async () => (await dlqBody()).replay))
  dlq
    .command('purge')
    .description('remove letters')
    .argument('[letters...]', 'as kt dlq list names them')
    .option('--all', 'all of them')
    .option('--data <dir>', 'which run')
    .action(run(async () => (await dlqBody()).purge))
}
