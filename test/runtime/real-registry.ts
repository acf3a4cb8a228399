import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort, hasJava } from '../../bin/kafka.ts'
import { kafkaCache } from '../../runtime/driver/kafka-client.ts'

const VERSION = '2.6.13.Final'
const programs = join(kafkaCache(), `apicurio-${VERSION}`)

/** Nothing is fetched (160 MB, once) for the default tests: `KT_REGISTRY=1` says that it may be. */
export const hasRegistry = (): boolean =>
  process.env['KT_REGISTRY'] === '1' &&
  hasJava() &&
  (registryFetched() || spawnSync('mvn', ['-v'], { stdio: 'ignore' }).status === 0)

export const registryFetched = (): boolean => existsSync(programs)

/** Throws when it cannot be had. */
export const fetchRegistry = (): void => {
  if (registryFetched()) return
  const fetching = `${programs}.${process.pid}`
  mkdirSync(fetching, { recursive: true })
  const artifact = `-Dartifact=io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`
  execFileSync('mvn', ['-q', '-B', 'dependency:copy', artifact, `-DoutputDirectory=${fetching}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
    // A project that is here by chance is none of its business.
    cwd: fetching,
  })
  const [archive] = readdirSync(fetching)
  execFileSync('tar', ['xzf', join(fetching, archive!), '-C', fetching])
  rmSync(join(fetching, archive!))
  renameSync(fetching, programs)
}

export interface RealRegistry {
  readonly url: string
  readonly close: () => Promise<void>
}

/** Apicurio, which speaks Confluent's API, in memory. A schema has to read what the one before it wrote. */
export const realRegistry = async (): Promise<RealRegistry> => {
  fetchRegistry()
  const port = await freePort()
  const jar = readdirSync(programs).find((name) => name.endsWith('-runner.jar'))!
  const tuned = ['-Xmx400m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const where = [`-Dquarkus.http.port=${port}`, '-Dquarkus.http.host=127.0.0.1']
  const child = spawn('java', [...tuned, ...where, '-jar', join(programs, jar)], { stdio: 'ignore' })
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  const body = JSON.stringify({ compatibility: 'BACKWARD' })
  const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
  for (const until = Date.now() + 120_000; ; await pause(200)) {
    const answer = await fetch(`${url}/config`, { method: 'PUT', headers, body }).catch(() => undefined)
    if (answer?.ok === true) break
    if (Date.now() > until || child.exitCode !== null) throw new Error('the registry does not begin')
  }
  return {
    url,
    close: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
