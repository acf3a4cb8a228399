import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { KafkaSasl } from './kafka-access.ts'

/** Sends what a client says and gives what the server answers; rejects when the server refuses. */
type Talk = (said: Buffer) => Promise<Buffer>

/** Say who we are, in the way that was chosen (RFC 4616, RFC 5802). Rejects when either side is not right. */
export const authenticate = async ({ mechanism, user, password }: KafkaSasl, talk: Talk): Promise<void> => {
  if (mechanism === 'PLAIN') await talk(Buffer.from(`\0${user}\0${password}`))
  else await scram(mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512', user, password, talk)
}

const scram = async (
  hash: 'sha256' | 'sha512',
  user: string,
  password: string,
  talk: Talk,
): Promise<void> => {
  const nonce = randomBytes(18).toString('base64')
  const first = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`
  const challenge = (await talk(Buffer.from(`n,,${first}`))).toString()
  const { r = '', s = '', i = '' } = fieldsOf(challenge)
  if (!r.startsWith(nonce)) throw new Error('the server answered another client')
  const length = hash === 'sha256' ? 32 : 64
  const salted = pbkdf2Sync(password.normalize('NFKC'), Buffer.from(s, 'base64'), Number(i), length, hash)
  const hmac = (key: Buffer, text: string): Buffer => createHmac(hash, key).update(text).digest()
  const clientKey = hmac(salted, 'Client Key')
  const last = `c=${Buffer.from('n,,').toString('base64')},r=${r}`
  const signed = `${first},${challenge},${last}`
  const signature = hmac(createHash(hash).update(clientKey).digest(), signed)
  const proof = clientKey.map((byte, at) => byte ^ signature[at]!)
  const { v = '' } = fieldsOf(
    (await talk(Buffer.from(`${last},p=${Buffer.from(proof).toString('base64')}`))).toString(),
  )
  const expected = hmac(hmac(salted, 'Server Key'), signed)
  const said = Buffer.from(v, 'base64')
  if (said.length !== expected.length || !timingSafeEqual(said, expected))
    throw new Error('the server does not know the password that it checks')
}

const fieldsOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(text.split(',').map((field) => [field.slice(0, 1), field.slice(2)]))
