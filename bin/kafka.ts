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
import { kafkaCache } from '../runtime/driver/kafka-client.ts'

const VERSION = '4.4.0'
const READY_MS = 60_000
const programs = join(kafkaCache(), `kafka-${VERSION}`)
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** Fetch the programs, once (45 MB). The pom names an artifact that was never published. */
const fetchPrograms = (): void => {
  if (existsSync(join(programs, 'ready'))) return
  const fetching = `${programs}.${process.pid}`
  mkdirSync(fetching, { recursive: true })
  writeFileSync(join(fetching, 'pom.xml'), POM)
  const goal = 'dependency:copy-dependencies'
  const options = ['-q', '-B', '-f', join(fetching, 'pom.xml'), goal, '-DincludeScope=runtime']
  execFileSync('mvn', [...options, `-DoutputDirectory=${fetching}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
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

const settingsOf = (folder: string, port: number, controller: number, extras: BrokerExtras): string =>
  Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    'default.replication.factor': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
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
    ...extras.settings(port, controller),
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')

/** Metadata for no topics. A broker is listed once it may be used. */
const ready = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const request = '0000000f0003000400000001ffff0000000000'
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(request, 'hex')))
    let answer = Buffer.alloc(0)
    const end = (is: boolean): void => {
      socket.destroy()
      done(is)
    }
    socket.setTimeout(1000, () => end(false))
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
    socket.on('data', (bytes) => {
      answer = Buffer.concat([answer, bytes])
      if (answer.length >= 16) end(answer.readInt32BE(12) >= 1)
    })
  })

/**
 * Start the broker of a folder, or find that it runs; resolves when it may be used. It is a real one, from
 * Maven Central: one KRaft node on loopback, its programs in the cache, its topics in the folder, which may
 * be deleted. Needs Java 17 and Maven, no root.
 */
export const brokerUp = async (folder: string, extras = NOTHING): Promise<Broker> => {
  fetchPrograms()
  mkdirSync(folder, { recursive: true })
  const settings = settingsFile(folder)
  if (!existsSync(settings)) {
    writeFileSync(settings, settingsOf(folder, await freePort(), await freePort(), extras))
    const id = createHash('sha256')
      .update(folder)
      .digest()
      .subarray(0, 16)
      .toString('base64url')
      .replace(/^-/, 'a')
    const users = extras.users.flatMap((user) => ['--add-scram', user])
    const format = ['kafka.tools.StorageTool', 'format', '-t', id, '-c', settings, ...users]
    execFileSync('java', [...java(), ...format], { stdio: ['ignore', 'ignore', 'inherit'] })
  }
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
  for (const started = Date.now(); Date.now() - started < READY_MS; await sleep(50))
    if (await ready(port)) return { folder, port }
  throw new Error(`the broker is not ready after ${READY_MS} ms: see ${join(folder, 'broker.log')}`)
}

/** End the broker of a folder. Its topics stay. */
export const brokerDown = async (folder: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
  const pid = runningPid(folder)
  if (pid === undefined) return
  process.kill(pid, signal)
  const patience = setTimeout(() => runningPid(folder) === pid && process.kill(pid, 'SIGKILL'), 5000)
  while (runningPid(folder) === pid) await sleep(10)
  clearTimeout(patience)
  rmSync(pidFile(folder), { force: true })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.env['KT_KAFKA_DIR'] ?? join(tmpdir(), 'kt-kafka'))
  const started = Date.now()
  const say = (text: string): void => void process.stdout.write(`${text} (${Date.now() - started} ms)\n`)
  if (process.argv[2] === 'up') say(`127.0.0.1:${(await brokerUp(folder)).port}`)
  else if (process.argv[2] === 'down') say(await brokerDown(folder).then(() => `${folder} is down`))
  else {
    process.stderr.write('usage: kafka up|down\n')
    process.exit(64)
  }
}
