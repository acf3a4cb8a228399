import avsc from 'avsc'

/** The 64 bits of a `long`, which avsc by itself holds in a double only up to 2^52. */
const long = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => Number(bytes.readBigInt64LE()),
  toBuffer: (value: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    return bytes
  },
  fromJSON: Number,
  toJSON: Number,
  isValid: Number.isSafeInteger,
  compare: (one: number, other: number) => one - other,
})

const MICROS = JSON.stringify({ type: 'long', logicalType: 'timestamp-micros' })

/** Another program's reader and writer of an Avro schema. What a logical type means is not its business. */
export const peerType = (schema: unknown): avsc.Type =>
  avsc.Type.forSchema(JSON.parse(JSON.stringify(schema).replaceAll(MICROS, '"long"')) as avsc.Schema, {
    registry: { long },
  })
