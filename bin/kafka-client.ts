import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { CLIENT, clientFolder, hasClient } from '../runtime/driver/kafka-client.ts'

const say = (text: string): void => void process.stderr.write(`kt: ${text}\n`)
const folder = clientFolder()
const building = `${folder}.${process.pid}`
const home = join(building, 'node_modules', CLIENT.name)

/** Run to the end, at the lowest priority; what it said is shown when it fails. */
const run = (command: string, arguments_: readonly string[], env: NodeJS.ProcessEnv = process.env): void => {
  const result = spawnSync('nice', ['-n', '19', command, ...arguments_], {
    cwd: building,
    env,
    encoding: 'utf8',
    maxBuffer: 256 << 20,
  })
  if (result.status === 0) return
  process.stderr.write(`${result.stdout}\n${result.stderr}`.slice(-4000))
  rmSync(building, { recursive: true, force: true })
  say(`\`${command} ${arguments_.join(' ')}\` failed`)
  say('the build needs g++, make, python3 and the headers of OpenSSL and zlib (libssl-dev, zlib1g-dev)')
  process.exit(69)
}

/** Its own build asks make for as many jobs as there are files. */
const limitJobs = (): void => {
  const file = join(home, 'deps', 'librdkafka.gyp')
  writeFileSync(file, readFileSync(file, 'utf8').replace('"make", "-j",', '"make", "-j2",'))
}

const build = (): void => {
  const prefix = resolve(dirname(process.execPath), '..')
  const headers = existsSync(join(prefix, 'include', 'node', 'node.h'))
  const nodedir = headers ? { npm_config_nodedir: prefix } : {}
  run('npm', ['rebuild', CLIENT.name, '--foreground-scripts'], {
    ...process.env,
    ...nodedir,
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
    CKJS_LINKING: 'dynamic',
    // Its makefile does not say what the headers depend on: with more jobs it fails.
    JOBS: '1',
    npm_config_build_from_source: 'true',
  })
}

/** Of what was built three files are needed. */
const tidyUp = (): void => {
  const kept = join(building, 'kept')
  const files = ['Release/confluent-kafka-javascript.node', 'deps/librdkafka.so.1', 'deps/librdkafka++.so.1']
  for (const file of files) {
    cpSync(join(home, 'build', file), join(kept, file), { dereference: true })
    spawnSync('strip', ['--strip-unneeded', join(kept, file)])
  }
  for (const name of ['build', 'deps', 'src']) rmSync(join(home, name), { recursive: true })
  renameSync(kept, join(home, 'build'))
}

const started = performance.now()
if (hasClient()) {
  say(`the Kafka client is set up already: ${folder}`)
} else {
  for (const name of existsSync(dirname(folder)) ? readdirSync(dirname(folder)) : []) {
    const leftover = join(dirname(folder), name)
    if (leftover.startsWith(`${folder}.`)) rmSync(leftover, { recursive: true, force: true })
  }
  mkdirSync(building, { recursive: true })
  writeFileSync(join(building, 'package.json'), '{"private":true}\n')
  say(`fetching and compiling ${CLIENT.name} ${CLIENT.version}, once (a few minutes)`)
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', `${CLIENT.name}@${CLIENT.version}`])
  limitJobs()
  build()
  tidyUp()
  // In a process of its own: what does not fit this machine may take the process with it.
  run(process.execPath, ['-e', `require('${CLIENT.name}').Producer`])
  writeFileSync(join(building, 'ready'), '')
  rmSync(folder, { recursive: true, force: true })
  renameSync(building, folder)
  say(`ready in ${((performance.now() - started) / 1000).toFixed(0)} s: ${folder}`)
}
