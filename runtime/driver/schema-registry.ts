import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { GraphError, HostError } from '../../graph/error.ts'
import type { RegisteredSchema, Registry, Standing } from '../format/registry.ts'

/** How a schema registry is reached, and as whom. */
export interface RegistryAccess {
  /** Several parted by commas: of one registry, the first that answers. */
  readonly url: string
  readonly user?: string | undefined
  readonly password?: string | undefined
  /** Files in PEM: whom to trust, and who we are (mTLS). */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** For one answer. */
  readonly timeoutMs?: number
  /** Before another try. */
  readonly againMs?: number
}

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

const TIMEOUT_MS = 5000
const ATTEMPTS = 3
const AGAIN_MS = 300
const ANSWER_BYTES_MAX = 8 << 20
const TYPE = 'application/vnd.schemaregistry.v1+json'
/** The error codes of the registry's own: no such subject, and no such schema under it. */
const NO_SUBJECT = 40401
const NO_SCHEMA = 40403

/**
 * The schema registry of Confluent, or what speaks like it: Redpanda's, Karapace, Apicurio. What it says of
 * an id never changes, and is asked once.
 *
 * @see https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 */
export const schemaRegistry = (access: RegistryAccess): Registry => {
  const found = new Map<number, Promise<RegisteredSchema>>()
  const ask = (method: string, path: string, body?: object): Promise<Answer> =>
    insisted(access, method, path, body)
  return {
    register: async (subject, schema) => {
      const { status, body } = await ask('POST', `/subjects/${named(subject)}/versions`, bodyOf(schema))
      if (status === 409) throw incompatible(subject, String(body['message']))
      return idIn(access, status, body)
    },
    standing: async (subject, schema) => standingOf(access, ask, subject, schema),
    find: (id) => {
      const known = found.get(id) ?? find(access, ask, id)
      found.set(id, known)
      known.catch(() => found.delete(id))
      return known
    },
  }
}

type Ask = (method: string, path: string, body?: object) => Promise<Answer>

const standingOf = async (
  access: RegistryAccess,
  ask: Ask,
  subject: string,
  schema: RegisteredSchema,
): Promise<Standing> => {
  const body = bodyOf(schema)
  const there = await ask('POST', `/subjects/${named(subject)}`, body)
  if (there.status === 200) return { is: 'registered', id: idIn(access, 200, there.body) }
  if (there.status !== 404) throw refused(access, there)
  if (there.body['error_code'] === NO_SUBJECT) return { is: 'new' }
  const path = `/compatibility/subjects/${named(subject)}/versions/latest?verbose=true`
  const checked = await ask('POST', path, body)
  if (checked.status === 404) return { is: 'new' }
  if (checked.status !== 200) throw refused(access, checked)
  if (checked.body['is_compatible'] === true) return { is: 'new' }
  // Apicurio has one reason where others have messages.
  const { messages = [], reason = 'it does not say why' } = checked.body
  const why = [messages].flat().map(String).join('; ')
  return { is: 'incompatible', why: why === '' ? String(reason) : why }
}

const find = async (access: RegistryAccess, ask: Ask, id: number): Promise<RegisteredSchema> => {
  const { status, body } = await ask('GET', `/schemas/ids/${id}`)
  const { schema, schemaType = 'AVRO', error_code: code } = body
  if (status === 200 && typeof schema === 'string')
    return { type: schemaType as RegisteredSchema['type'], text: schema }
  if (status === 404 && code === NO_SCHEMA) throw unknown(access, id)
  throw refused(access, { status, body })
}

const named = (subject: string): string => encodeURIComponent(subject)

/** Avro is what a registry takes for granted, and older ones know nothing else. */
const bodyOf = ({ type, text }: RegisteredSchema): object =>
  type === 'AVRO' ? { schema: text } : { schemaType: type, schema: text }

const idIn = (access: RegistryAccess, status: number, body: Answer['body']): number => {
  const { id } = body
  if (status === 200 && Number.isInteger(id) && (id as number) >= 0 && (id as number) < 2 ** 32)
    return id as number
  throw refused(access, { status, body })
}

/** Try again where that may help. Each address gets its turn. */
const insisted = async (
  access: RegistryAccess,
  method: string,
  path: string,
  body: object | undefined,
): Promise<Answer> => {
  const urls = access.url.split(',')
  for (let attempt = 1; ; attempt++) {
    const url = urls[(attempt - 1) % urls.length]!.trim().replace(/\/+$/, '')
    const answer = await asked(access, method, url + path, body).catch((error: Error) => error)
    const over = attempt >= ATTEMPTS * urls.length
    if (answer instanceof Error) {
      if (isTls(answer)) throw rejected(access, answer.message)
      if (over) throw unanswered(access, answer.message)
    } else if (answer.status === 401 || answer.status === 403) {
      throw rejected(access, `${answer.status}: ${String(answer.body['message'] ?? '')}`)
    } else if (over || (answer.status < 500 && answer.status !== 429)) return answer
    await pause(access.againMs ?? AGAIN_MS)
  }
}

const asked = (
  { user, password = '', ca, cert, key, timeoutMs = TIMEOUT_MS }: RegistryAccess,
  method: string,
  url: string,
  body: object | undefined,
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path))
    const text = body === undefined ? undefined : JSON.stringify(body)
    const send = url.startsWith('https:') ? tlsRequest : plainRequest
    const signal = AbortSignal.timeout(timeoutMs)
    const options = {
      method,
      signal,
      headers: { accept: TYPE, ...(text === undefined ? {} : { 'content-type': TYPE }) },
      ...(user === undefined ? {} : { auth: `${user}:${password}` }),
      ...(url.startsWith('https:') ? { ca: file(ca), cert: file(cert), key: file(key) } : {}),
    }
    const failed = (error: Error): void =>
      reject(signal.aborted ? new Error(`no answer within ${timeoutMs / 1000} s`) : error)
    const sent = send(url, options, (response) => {
      const parts: Buffer[] = []
      let length = 0
      response.on('error', failed)
      response.on('data', (part: Buffer) => {
        parts.push(part)
        length += part.length
        if (length > ANSWER_BYTES_MAX) sent.destroy(new Error('the answer is too long'))
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: objectOf(Buffer.concat(parts)) }),
      )
    })
    sent.on('error', failed)
    sent.end(text)
  })

/** A proxy between us may answer with a page. */
const objectOf = (bytes: Buffer): Answer['body'] => {
  const text = bytes.toString('utf8')
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Answer['body']) : { message: text }
  } catch {
    return { message: text.slice(0, 200) }
  }
}

const isTls = (error: Error): boolean =>
  /^ERR_(SSL|TLS)|CERT|SELF_SIGNED|UNABLE_TO|EPROTO/.test('code' in error ? String(error.code) : '')

const unanswered = ({ url }: RegistryAccess, why: string): HostError =>
  new HostError('KT3040', 'the schema registry refused a call or did not answer it', {
    where: url,
    why,
    fix: 'Look whether the registry runs and can be reached from here, or correct KT_SCHEMA_REGISTRY_URL.',
    facts: { url },
    retry: { afterMs: 1000 },
  })

const refused = (access: RegistryAccess, { status, body }: Answer): HostError =>
  unanswered(access, `${status}: ${String(body['message'] ?? JSON.stringify(body))}`)

const rejected = ({ url }: RegistryAccess, why: string): HostError =>
  new HostError('KT3041', 'the schema registry does not let us in', {
    where: url,
    why,
    fix: 'Correct KT_SCHEMA_REGISTRY_USER, _PASSWORD_FILE, _CA, _CERT or _KEY: docs/formats.md says how.',
    facts: { url },
    retry: { afterMs: 1000 },
  })

const unknown = ({ url }: RegistryAccess, id: number): HostError =>
  new HostError('KT3042', `the schema registry has no schema ${id}`, {
    where: url,
    why: 'A record names it, so that it was written with another registry, or the schema was deleted.',
    fix: 'Name the registry that it was written with in KT_SCHEMA_REGISTRY_URL, or restore the schema.',
    facts: { url, id },
    retry: 'never',
  })

/** KT1029: what is registered could not be read beside it, or the other way, as the registry is set. */
export const incompatible = (subject: string, why: string): GraphError =>
  new GraphError('KT1029', `the schema registry takes the schema of "${subject}" for incompatible`, {
    where: subject,
    why,
    fix: 'See docs/change-an-event.md for what may change, or give the topic another name.',
    facts: { subject },
  })
