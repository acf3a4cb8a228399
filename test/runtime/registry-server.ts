import avsc from 'avsc'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TlsOptions } from 'node:tls'

interface Version {
  readonly id: number
  readonly version: number
  readonly schemaType: string
  readonly schema: string
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

const error = (status: number, code: number, message: string): Answer => ({
  status,
  body: { error_code: code, message },
})

/**
 * A schema registry over HTTP, as the API of Confluent's says it: ids are given out once for each schema, and
 * a subject takes a schema only when that reads what the newest one of it wrote (BACKWARD).
 */
export class RegistryServer {
  /** What was asked: `POST /subjects/x/versions`. */
  readonly asked: string[] = []
  /** Who may ask; undefined: anybody. */
  login: string | undefined
  /** Called before an answer; what it returns is the answer instead. */
  instead: (asked: string) => Promise<Answer | undefined> = () => Promise.resolve(undefined)
  readonly #subjects = new Map<string, Version[]>()
  readonly #ids = new Map<string, number>()
  readonly #server: Server

  constructor(server: Server) {
    this.#server = server
  }

  get url(): string {
    const protocol = 'setSecureContext' in this.#server ? 'https' : 'http'
    return `${protocol}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The versions of a subject. */
  versions(subject: string): readonly Version[] {
    return this.#subjects.get(subject) ?? []
  }

  async answer(request: IncomingMessage): Promise<Answer> {
    const { method = '', url = '', headers } = request
    const asked = `${method} ${url}`
    this.asked.push(asked)
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const other = await this.instead(asked)
    if (other !== undefined) return other
    const basic = this.login === undefined ? undefined : `Basic ${Buffer.from(this.login).toString('base64')}`
    if (basic !== undefined && headers.authorization !== basic) return error(401, 40101, 'Unauthorized')
    const body =
      parts.length === 0 ? {} : (JSON.parse(Buffer.concat(parts).toString()) as Record<string, string>)
    return this.#answer(asked, body['schema'] ?? '', body['schemaType'] ?? 'AVRO')
  }

  #answer(asked: string, schema: string, schemaType: string): Answer {
    const [, ids] = /^GET \/schemas\/ids\/(\d+)$/.exec(asked) ?? []
    if (ids !== undefined) return this.#byId(Number(ids))
    const [, checked] = /^POST \/compatibility\/subjects\/(.+)\/versions\/latest/.exec(asked) ?? []
    if (checked !== undefined) {
      const newest = this.versions(decodeURIComponent(checked)).at(-1)
      if (newest === undefined) return error(404, 40401, 'Subject not found')
      const why = unlike(newest, { schema, schemaType })
      return { status: 200, body: { is_compatible: why === '', ...(why === '' ? {} : { messages: [why] }) } }
    }
    const [, subject, versions] = /^POST \/subjects\/([^/]+)(\/versions)?$/.exec(asked) ?? []
    if (subject === undefined) return error(404, 404, 'HTTP 404 Not Found')
    const named = decodeURIComponent(subject)
    return versions === undefined
      ? this.#look(named, schema, schemaType)
      : this.#register(named, schema, schemaType)
  }

  #byId(id: number): Answer {
    const found = [...this.#subjects.values()].flat().find((one) => one.id === id)
    if (found === undefined) return error(404, 40403, 'Schema not found')
    const { schema, schemaType } = found
    return { status: 200, body: { schema, ...(schemaType === 'AVRO' ? {} : { schemaType }) } }
  }

  #look(subject: string, schema: string, schemaType: string): Answer {
    const versions = this.#subjects.get(subject)
    if (versions === undefined) return error(404, 40401, 'Subject not found')
    const found = versions.find((one) => one.schema === schema && one.schemaType === schemaType)
    return found === undefined
      ? error(404, 40403, 'Schema not found')
      : { status: 200, body: { subject, ...found } }
  }

  #register(subject: string, schema: string, schemaType: string): Answer {
    const known = this.#look(subject, schema, schemaType)
    if (known.status === 200) return { status: 200, body: { id: (known.body as Version).id } }
    const versions = this.#subjects.get(subject) ?? []
    const newest = versions.at(-1)
    const why = newest === undefined ? '' : unlike(newest, { schema, schemaType })
    if (why !== '')
      return error(409, 409, `Schema being registered is incompatible with an earlier schema: ${why}`)
    const key = `${schemaType} ${schema}`
    const id = this.#ids.get(key) ?? 100 + this.#ids.size
    this.#ids.set(key, id)
    versions.push({ id, version: versions.length + 1, schemaType, schema })
    this.#subjects.set(subject, versions)
    return { status: 200, body: { id } }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }
}

type Checked = Pick<Version, 'schema' | 'schemaType'>

/** Why the later schema cannot read what the earlier one wrote; empty: it can. */
const unlike = (earlier: Checked, later: Checked): string => {
  if (earlier.schemaType !== later.schemaType) return `${later.schemaType} is not ${earlier.schemaType}`
  if (later.schemaType === 'JSON') return unlikeJson(JSON.parse(earlier.schema), JSON.parse(later.schema))
  const [reader, writer] = [later, earlier].map(({ schema }) =>
    avsc.Type.forSchema(JSON.parse(schema) as avsc.Schema),
  )
  try {
    reader!.createResolver(writer!)
    return ''
  } catch (thrown) {
    return (thrown as Error).message
  }
}

interface JsonObject {
  readonly properties: Readonly<Record<string, unknown>>
  readonly required: readonly string[]
}

/** Of JSON only this: what was there stays, and nothing becomes necessary. */
const unlikeJson = (earlier: JsonObject, later: JsonObject): string => {
  const gone = Object.keys(earlier.properties).find((name) => !(name in later.properties))
  const needed = later.required.find((name) => !earlier.required.includes(name))
  if (gone !== undefined) return `PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL ${gone}`
  return needed === undefined ? '' : `REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL ${needed}`
}

/** `tls`: over HTTPS, with these certificates. */
export const registryServer = async (tls?: TlsOptions): Promise<RegistryServer> => {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    void registry.answer(request).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
      response.end(JSON.stringify(body))
    })
  }
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  const registry = new RegistryServer(server)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return registry
}
