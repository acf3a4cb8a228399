// npm run setup:tests: what only tests need, into the user's cache: Kafka with its client, a schema registry, and the
// Python that reads the lake beside kt. What cannot be had here is said, and its tests are skipped by name.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fetchRegistry, registryFetched } from '../test/runtime/real-registry.ts'
import { hasClient, kafkaCache } from '../runtime/driver/kafka-client.ts'
import { brokerDown, brokerUp, hasBroker, hasJava } from './kafka.ts'

const say = (text: string): void => void process.stderr.write(`kt: ${text}\n`)
const root = resolve(import.meta.dirname, '..')
const requirements = join(root, 'test', 'requirements.txt')

/** By what is to be in it, so that a change of that makes it anew. */
const pythonFolder = (): string => {
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  return join(kafkaCache(), `test-python-${hash}`)
}

const works = (command: string, ...arguments_: readonly string[]): boolean =>
  spawnSync(command, arguments_, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0

const is = (command: string, word: string): boolean =>
  spawnSync(command, [word], { stdio: 'ignore' }).status === 0

/** The variables by which tests are told what is there; those that are set already stand. */
export const peersHere = (): Readonly<Record<string, string>> => {
  const python = join(pythonFolder(), 'bin', 'python')
  const kafka = hasClient() && hasBroker()
  const found = {
    ...(existsSync(join(pythonFolder(), 'ready')) ? { KT_PYTHON: python } : {}),
    ...(kafka ? { KT_KAFKA: '1' } : {}),
    ...(hasJava() && registryFetched() ? { KT_REGISTRY: '1' } : {}),
    ...(is('go', 'version') ? { KT_PEERS: 'go' } : {}),
  }
  return Object.fromEntries(Object.entries(found).filter(([name]) => process.env[name] === undefined))
}

const setUpPython = (): void => {
  const folder = pythonFolder()
  if (existsSync(join(folder, 'ready'))) return
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  say('installing the Python that reads the lake beside kt, once (1 GB)')
  const pip = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', requirements]
  if (works('python3', '-m', 'venv', folder) && works(join(folder, 'bin', 'python'), ...pip))
    return writeFileSync(join(folder, 'ready'), '')
  rmSync(folder, { recursive: true, force: true })
  say('no Python: what it would check is skipped (needs python3 with venv, and PyPI)')
}

/** A broker that was up once has its programs in the cache. */
const setUpKafka = async (): Promise<void> => {
  if (!hasJava()) return say('no Java: what needs Kafka is skipped')
  if (!works(process.execPath, join(root, 'bin', 'kafka-client.ts')))
    return say('no client of Kafka: what needs it is skipped')
  const folder = mkdtempSync(join(tmpdir(), 'kt-kafka-'))
  try {
    await brokerUp(folder)
    fetchRegistry()
  } catch (error) {
    say(`no broker of Kafka, or no schema registry: ${(error as Error).message}`)
  } finally {
    await brokerDown(folder, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  setUpPython()
  await setUpKafka()
  say(`tests will have ${JSON.stringify(peersHere())}`)
}
