import { loadClient } from '../../runtime/driver/kafka-client.ts'

/** Delete a topic, as somebody might who does not know who uses it. */
export const remove = (brokers: string, topic: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const admin = loadClient().AdminClient.create({ 'bootstrap.servers': brokers }) as unknown as {
      readonly deleteTopic: (topic: string, ms: number, back: (error?: Error) => void) => void
      readonly disconnect: () => void
    }
    admin.deleteTopic(topic, 10_000, (error) => {
      admin.disconnect()
      if (error) reject(error)
      else resolve()
    })
  })
