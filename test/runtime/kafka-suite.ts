import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { brokerDown, brokerUp, hasJava } from '../../bin/kafka.ts'
import type { Broker } from '../../bin/kafka.ts'
import { hasClient } from '../../runtime/driver/kafka-client.ts'

/** Nothing is fetched or built for the default tests: `KT_KAFKA=1` says that it may be. */
const wanted = process.env['KT_KAFKA'] === '1' && hasClient() && hasJava()
const NEEDS = '(needs KT_KAFKA=1, `npm run setup:kafka` and Java)'

/** Tests with Kafka; where there is none they are skipped, under a name that says what they need. */
export const describeKafka = (name: string, tests: () => void): void => {
  describe.skipIf(!wanted)(wanted ? name : `${name} ${NEEDS}`, tests)
}

/** Tests with a broker of their own, which is there, and may be asked where it is, once they run. */
export const onBroker = (
  name: string,
  tests: () => void,
): { readonly folder: string; readonly address: string } => {
  let folder: string
  let broker: Broker
  describeKafka(name, () => {
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'kt-kafka-'))
      broker = await brokerUp(folder)
    }, 180_000)

    afterAll(async () => {
      await brokerDown(folder, 'SIGKILL')
      await rm(folder, { recursive: true, force: true })
    })

    tests()
  })
  return {
    get folder() {
      return folder
    },
    get address() {
      return `127.0.0.1:${broker.port}`
    },
  }
}
