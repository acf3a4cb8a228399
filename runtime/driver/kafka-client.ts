import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { HostError } from '../../graph/error.ts'
import type { KafkaClient } from './kafka-library.ts'

/** The client that this project was tested with. */
export const CLIENT = { name: '@confluentinc/kafka-javascript', version: '1.10.1' } as const

/** Where everything lives that was fetched or built for Kafka: outside of the project. */
export const kafkaCache = (): string => join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kt')

/**
 * Where the client is, for this Node and this machine. It is compiled, so that another Node, another
 * processor or another C library needs another one.
 */
export const clientFolder = (): string => {
  const { header } = process.report.getReport() as {
    readonly header: { readonly glibcVersionRuntime?: string }
  }
  const libc = header.glibcVersionRuntime === undefined ? 'musl' : `glibc${header.glibcVersionRuntime}`
  const { platform, arch, versions } = process
  return join(
    kafkaCache(),
    `kafka-client-${CLIENT.version}-abi${versions.modules}-${platform}-${arch}-${libc}`,
  )
}

/** Whether `npm run setup:kafka` has run here. */
export const hasClient = (): boolean => existsSync(join(clientFolder(), 'ready'))

/** The client library. It is optional: only who uses a Kafka log loads it. */
export const loadClient = (): KafkaClient => {
  const folder = clientFolder()
  if (!hasClient()) throw absent(`There is no ${folder}.`)
  try {
    return createRequire(join(folder, 'index.js'))(CLIENT.name) as KafkaClient
  } catch (error) {
    throw absent(error instanceof Error ? error.message : String(error))
  }
}

const absent = (why: string): HostError =>
  new HostError('KT3030', 'the Kafka client is not set up', {
    why,
    fix: 'Run `npm run setup:kafka` once on this machine, with the Node that runs kt.',
    retry: 'never',
  })
