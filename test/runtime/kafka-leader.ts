import { METADATA, Writing, openWire } from '../../runtime/driver/kafka-wire.ts'

/** The port of the broker that leads a partition; undefined: none does. `topic`: with its prefix. */
export const leaderOf = async (
  brokers: string,
  topic: string,
  partition = 0,
): Promise<number | undefined> => {
  const wire = await openWire({ brokers, tls: false })
  try {
    const body = new Writing()
    body.list([topic], (name) => void body.text(name)).int(1, 0)
    const answer = await wire.ask(METADATA, 4, body)
    answer.int(4)
    const ports = new Map(
      answer.list(() => {
        const [id, , port] = [answer.int(4), answer.text(), answer.int(4)]
        answer.text()
        return [id, port] as const
      }),
    )
    answer.text()
    answer.int(4)
    const [leaders] = answer.list(() => {
      answer.int(2)
      answer.text()
      answer.int(1)
      return new Map(
        answer.list(() => {
          answer.int(2)
          const one = [answer.int(4), ports.get(answer.int(4))] as const
          answer.list(() => answer.int(4))
          answer.list(() => answer.int(4))
          return one
        }),
      )
    })
    return leaders?.get(partition)
  } finally {
    wire.close()
  }
}
