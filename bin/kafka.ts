import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { kafkaCache } from '../runtime/driver/kafka-client.ts'
import { Reading } from '../runtime/driver/kafka-wire.ts'

const VERSION = '4.4.0'
const READY_MS = 60_000
const programs = join(kafkaCache(), `kafka-${VERSION}`)
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** A broker can be started without fetching anything. */
export const hasBroker = (): boolean => hasJava() && existsSync(join(programs, 'ready'))

/** Fetch the programs, once (45 MB). The pom names an artifact that was never published. */
const fetchPrograms = (): void => {
  if (existsSync(join(programs, 'ready'))) return
  const fetching = `${programs}.${process.pid}`
  mkdirSync(fetching, { recursive: true })
  writeFileSync(join(fetching, 'pom.xml'), POM)
  const goal = 'dependency:copy-dependencies'
  const options = ['-q', '-B', '-f', join(fetching, 'pom.xml'), goal, '-DincludeScope=runtime']
  // Maven ends its output with a colour code, wherever it goes, and says on stdout what is wrong.
  const fetched = spawnSync('mvn', [...options, `-DoutputDirectory=${fetching}`], { encoding: 'utf8' })
  if (fetched.status !== 0) {
    rmSync(fetching, { recursive: true, force: true })
    const said = stripVTControlCharacters(`${fetched.stdout ?? ''}${fetched.stderr ?? ''}`).trim()
    throw new Error(`Kafka ${VERSION} was not fetched: ${fetched.error?.message ?? said}`)
  }
  writeFileSync(join(fetching, 'ready'), '')
  rmSync(programs, { recursive: true, force: true })
  renameSync(fetching, programs)
}

const POM = `<project><modelVersion>4.0.0</modelVersion><groupId>kt</groupId><artifactId>kafka</artifactId>
<version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>${VERSION}</version>
<exclusions><exclusion><groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId></exclusion>
</exclusions></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
<version>2.25.5</version></dependency></dependencies></project>
`

/** A test broker: small heap, no second compiler. */
const java = (): readonly string[] => {
  const jars = readdirSync(programs).filter((name) => name.endsWith('.jar'))
  const path = jars.map((name) => join(programs, name)).join(':')
  const tuned = ['-Xmx256m', '-Xms64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xlog:disable']
  return [...tuned, '-Dlog4j2.level=WARN', '-cp', path]
}

export interface Broker {
  readonly folder: string
  readonly port: number
}

export const hasJava = (): boolean => spawnSync('java', ['-version'], { stdio: 'ignore' }).status === 0

const settingsFile = (folder: string): string => join(folder, 'broker.properties')
const pidFile = (folder: string): string => join(folder, 'broker.pid')

/** The running broker of a folder. A number of a process is trusted only when it runs with our settings. */
const runningPid = (folder: string): number | undefined => {
  try {
    const pid = Number(readFileSync(pidFile(folder), 'utf8'))
    const running = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(settingsFile(folder))
    return running ? pid : undefined
  } catch {
    return undefined
  }
}

export const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => done(port))
    })
  })

/** What a broker has besides: settings, and users that are there from the beginning. */
export interface BrokerExtras {
  readonly settings: (port: number, controller: number) => Readonly<Record<string, string>>
  /** As Kafka's storage tool writes them: `SCRAM-SHA-256=[name=a,password=b]`. */
  readonly users: readonly string[]
}

const NOTHING: BrokerExtras = { settings: () => ({}), users: [] }

/** Where a node of a cluster listens: for clients and its peers, and as a controller. */
interface Node {
  readonly port: number
  readonly controller: number
}

const settingsOf = (folder: string, nodes: readonly Node[], index: number, extras: BrokerExtras): string => {
  const { port, controller } = nodes[index]!
  const voters = nodes.map((one, i) => `${i + 1}@127.0.0.1:${one.controller}`).join(',')
  const replicas = nodes.length
  const enough = Math.max(1, replicas - 1)
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': index + 1,
    'controller.quorum.voters': voters,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    'default.replication.factor': replicas,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': enough,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': enough,
    // Fifty partitions each are the default, and a slow start.
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.num.partitions': 4,
    'auto.create.topics.enable': false,
    'log.cleaner.dedupe.buffer.size': 4 << 20,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1000,
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
    // A replica that is away is not waited for any longer than its broker is.
    'replica.lag.time.max.ms': 3000,
    // So long a broker waits for one that died before it ends transactions elsewhere: else half a minute.
    'request.timeout.ms': 3000,
    ...extras.settings(port, controller),
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

/** The ports of the brokers that one of them lists: a broker is listed once it may be used. */
const listedBy = (port: number): Promise<readonly number[]> =>
  new Promise((done) => {
    // Metadata, for no topics.
    const request = '0000000f0003000400000001ffff0000000000'
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(request, 'hex')))
    let answer = Buffer.alloc(0)
    const end = (ports: readonly number[]): void => {
      socket.destroy()
      done(ports)
    }
    socket.setTimeout(1000, () => end([]))
    socket.on('error', () => end([]))
    socket.on('close', () => end([]))
    socket.on('data', (bytes) => {
      answer = Buffer.concat([answer, bytes])
      if (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) return
      const reading = new Reading(answer.subarray(12))
      const brokers = reading.list(() => {
        const [, , at] = [reading.int(4), reading.text(), reading.int(4)]
        reading.text()
        return at
      })
      end(brokers)
    })
  })

const idOf = (folder: string): string =>
  createHash('sha256').update(folder).digest().subarray(0, 16).toString('base64url').replace(/^-/, 'a')

/** Settings and empty storage in each of these folders, as nodes of one cluster. */
const format = async (folders: readonly string[], extras: BrokerExtras): Promise<void> => {
  const nodes: Node[] = []
  for (const _ of folders) nodes.push({ port: await freePort(), controller: await freePort() })
  const users = extras.users.flatMap((user) => ['--add-scram', user])
  for (const [i, folder] of folders.entries()) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(settingsFile(folder), settingsOf(folder, nodes, i, extras))
    const tool = ['kafka.tools.StorageTool', 'format', '-t', idOf(folders[0]!), '-c', settingsFile(folder)]
    execFileSync('java', [...java(), ...tool, ...users], { stdio: ['ignore', 'ignore', 'inherit'] })
  }
}

/** Begin the node of a folder, unless it runs. */
const launch = (folder: string): Broker => {
  const settings = settingsFile(folder)
  const port = Number(/PLAINTEXT:\/\/127\.0\.0\.1:(\d+)/.exec(readFileSync(settings, 'utf8'))![1])
  if (runningPid(folder) === undefined) {
    const log = openSync(join(folder, 'broker.log'), 'a')
    const child = spawn('nice', ['-n', '10', 'java', ...java(), 'kafka.Kafka', settings], {
      detached: true,
      stdio: ['ignore', log, log],
    })
    writeFileSync(pidFile(folder), String(child.pid))
    child.unref()
  }
  return { folder, port }
}

/** Wait until a broker lists all of these. */
const usable = async ({ folder, port }: Broker, wanted: readonly Broker[]): Promise<void> => {
  for (const started = performance.now(); performance.now() - started < READY_MS; await sleep(50)) {
    const listed = await listedBy(port)
    if (wanted.every((one) => listed.includes(one.port))) return
  }
  throw new Error(`the broker is not ready after ${READY_MS} ms: see ${join(folder, 'broker.log')}`)
}

/**
 * Start the broker of a folder, or find that it runs; resolves when it may be used. It is a real one, from
 * Maven Central: a KRaft node on loopback, its programs in the cache, its topics in the folder, which may
 * be deleted. Needs Java 17 and Maven, no root. The folder may be that of a node of a cluster.
 */
export const brokerUp = async (folder: string, extras = NOTHING): Promise<Broker> => {
  fetchPrograms()
  if (!existsSync(settingsFile(folder))) await format([folder], extras)
  const broker = launch(folder)
  await usable(broker, [broker])
  return broker
}

/** The nodes of a cluster in a folder: itself, or a folder in it for each. */
const nodeFolders = (folder: string, brokers: number): readonly string[] =>
  brokers === 1 ? [folder] : Array.from({ length: brokers }, (_, i) => join(folder, String(i + 1)))

/**
 * The same with several brokers, or as many as are there: each topic in all of them, and written when all but
 * one have it. Each of them can be ended and started by its folder.
 */
export const clusterUp = async (folder: string, asked?: number): Promise<readonly Broker[]> => {
  fetchPrograms()
  const there = existsSync(settingsFile(folder)) ? 1 : nodesIn(folder).length
  const brokers = asked ?? Math.max(1, there)
  const folders = nodeFolders(folder, brokers)
  if (there > 0 && there !== brokers)
    throw new Error(`${folder} has ${there} brokers: delete it, or choose another KT_KAFKA_DIR`)
  if (there === 0) await format(folders, NOTHING)
  const nodes = folders.map(launch)
  for (const node of nodes) await usable(node, nodes)
  return nodes
}

const nodesIn = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .map((name) => join(folder, name))
        .filter((path) => existsSync(settingsFile(path)))
    : []

/** End the broker of a folder, or all of its cluster. Their topics stay. */
export const brokerDown = async (folder: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
  await Promise.all(nodesIn(folder).map((node) => brokerDown(node, signal)))
  const pid = runningPid(folder)
  if (pid === undefined) return
  process.kill(pid, signal)
  const patience = setTimeout(() => runningPid(folder) === pid && process.kill(pid, 'SIGKILL'), 5000)
  while (runningPid(folder) === pid) await sleep(10)
  clearTimeout(patience)
  rmSync(pidFile(folder), { force: true })
}

const usage = (): never => {
  process.stderr.write('usage: kafka up [--brokers N]\n       kafka down\n')
  process.exit(64)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.env['KT_KAFKA_DIR'] ?? join(tmpdir(), 'kt-kafka'))
  const started = performance.now()
  const say = (text: string): void =>
    void process.stdout.write(`${text} (${Math.round(performance.now() - started)} ms)\n`)
  const [command, option, brokers] = process.argv.slice(2)
  if (
    command === 'up' &&
    (option === undefined || (option === '--brokers' && /^[1-9]$/.test(brokers ?? '')))
  ) {
    const nodes = await clusterUp(folder, brokers === undefined ? undefined : Number(brokers))
    say(nodes.map(({ port }) => `127.0.0.1:${port}`).join(','))
  } else if (command === 'down' && option === undefined)
    say(await brokerDown(folder).then(() => `${folder} is down`))
  else usage()
}
