import { spawn, spawnSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { freePort } from './free-port.ts'

/** moto's server, of the Python that KT_PYTHON names: `pip install "moto[server,sqs]"`. */
const python = process.env['KT_PYTHON'] ?? 'python3'

/** Whether tests against SQS run here, for `skipIf`. */
export const sqsThere = spawnSync(python, ['-c', 'import moto.server, flask']).status === 0

export const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' }

export interface SqsServer {
  readonly endpoint: string
  readonly client: SQSClient
  /** The URL of a new, empty queue. */
  readonly queue: () => Promise<string>
  readonly stop: () => void
}

export const startSqs = async (): Promise<SqsServer> => {
  const port = await freePort()
  const run = `from moto.server import main; main(['-H', '127.0.0.1', '-p', '${port}'])`
  const child = spawn(python, ['-c', run], { stdio: 'ignore' })
  const endpoint = `http://127.0.0.1:${port}`
  await listening(endpoint)
  const client = new SQSClient({ region: 'us-east-1', endpoint, credentials: CREDENTIALS })
  let queues = 0
  return {
    endpoint,
    client,
    queue: async () => {
      const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: `letters-${++queues}` }))
      return `${endpoint}${new URL(QueueUrl!).pathname}`
    },
    stop: () => {
      client.destroy()
      child.kill('SIGKILL')
    },
  }
}

const listening = async (endpoint: string): Promise<void> => {
  for (let tries = 0; ; tries++) {
    const answered = await fetch(endpoint).then(
      () => true,
      () => false,
    )
    if (answered) return
    if (tries > 600) throw new Error('moto does not listen')
    await pause(100)
  }
}
