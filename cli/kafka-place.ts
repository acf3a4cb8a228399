import { z } from 'zod'
import { MECHANISMS } from '../runtime/driver/kafka-access.ts'

/** The Kafka that a run has its log in. Of the password only where it is: a run writes this down. */
export const kafkaPlace = z.object({
  brokers: z.string(),
  prefix: z.string(),
  tls: z.boolean(),
  ca: z.string().optional(),
  cert: z.string().optional(),
  key: z.string().optional(),
  sasl: z.enum(MECHANISMS).optional(),
  user: z.string().optional(),
  passwordFile: z.string().optional(),
  retentionMs: z.number(),
  replicas: z.number().optional(),
})
export type KafkaPlace = z.infer<typeof kafkaPlace>
