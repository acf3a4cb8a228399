import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { KtError } from '../graph/error.ts'
import type { Plan } from '../graph/plan.ts'
import { rememberedRegistry } from '../runtime/driver/remembered-registry.ts'
import { incompatible, schemaRegistry } from '../runtime/driver/schema-registry.ts'
import { registeredOf, subjectOf, unnamed } from '../runtime/format/registry.ts'
import type { Registry, Standing } from '../runtime/format/registry.ts'
import type { RegistryPlace } from './registry-place.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** What `KT_SCHEMA_REGISTRY_*` say; undefined: there is no registry. Throws KT6431. */
export const registryAsked = (environment: Environment = process.env): RegistryPlace | undefined => {
  const say = (name: string): string | undefined => environment[`KT_SCHEMA_REGISTRY_${name}`] || undefined
  const file = (name: string): string | undefined => {
    const path = say(name)
    if (path !== undefined) readable(`KT_SCHEMA_REGISTRY_${name}`, path)
    return path === undefined ? undefined : resolve(path)
  }
  const url = say('URL')
  if (url === undefined) return undefined
  for (const one of url.split(',')) checkUrl(one.trim())
  const [ca, cert, key] = [file('CA'), file('CERT'), file('KEY')]
  if ((cert === undefined) !== (key === undefined))
    throw wrong('KT_SCHEMA_REGISTRY_CERT', 'a certificate needs its key, and a key its certificate: set both')
  const [user, passwordFile] = [say('USER'), file('PASSWORD_FILE')]
  if (user !== undefined && (passwordFile ?? say('PASSWORD')) === undefined)
    throw wrong('KT_SCHEMA_REGISTRY_USER', 'a user needs KT_SCHEMA_REGISTRY_PASSWORD_FILE or _PASSWORD')
  return { url, user, passwordFile, ca, cert, key }
}

const checkUrl = (text: string): void => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw wrong('KT_SCHEMA_REGISTRY_URL', `"${text}" is not http://host:port or https://host:port`)
  // A run writes the address down, and never a password.
  if (url.username !== '' || url.password !== '')
    throw wrong(
      'KT_SCHEMA_REGISTRY_URL',
      'a log-in does not belong into the address: set _USER and _PASSWORD_FILE',
    )
}

/**
 * The registry, with the password, which is read now. `root`: the data folder of the run that asks; what it
 * is told is kept there.
 */
export const registryOf = ({ passwordFile, ...place }: RegistryPlace, root?: string): Registry => {
  const password =
    passwordFile === undefined
      ? process.env['KT_SCHEMA_REGISTRY_PASSWORD']
      : readable('KT_SCHEMA_REGISTRY_PASSWORD_FILE', passwordFile).trim()
  const registry = schemaRegistry({ ...place, password })
  return root === undefined ? registry : rememberedRegistry(registry, place.url, join(root, 'registry.json'))
}

/** A topic whose schema a registry is to know, and what it says of it. */
export interface Subject {
  readonly topic: string
  readonly subject: string
  readonly type: 'AVRO' | 'JSON'
  readonly standing: Standing
}

/**
 * What the registry says of the topics of a graph; nothing is registered, and without one nothing is said.
 * Throws KT1029 for a schema that it takes for incompatible.
 */
export const subjectsOf = async (
  { topics }: Pick<Plan, 'topics'>,
  place: RegistryPlace | undefined,
  prefix: string,
  root?: string,
): Promise<readonly Subject[]> => {
  if (place === undefined) return []
  const registry = registryOf(place, root)
  const subjects: Subject[] = []
  for (const topic of topics) {
    const schema = registeredOf(topic)
    if (schema === undefined) continue
    const subject = subjectOf(prefix, topic.name)
    const standing = await registry.standing(subject, schema)
    if (standing.is === 'incompatible') throw incompatible(subject, standing.why)
    subjects.push({ topic: topic.name, subject, type: schema.type, standing })
  }
  return subjects
}

/** Refuse what could not be written (KT6432), or read by others (KT1029), before anything starts. */
export const checkRegistry = async (
  plan: Pick<Plan, 'topics'>,
  place: RegistryPlace | undefined,
  prefix: string,
  root?: string,
): Promise<void> => {
  const [avro] = avroTopics(plan)
  if (place === undefined && avro !== undefined) throw unnamed(avro)
  await subjectsOf(plan, place, prefix, root)
}

/** Topics that a run cannot write without a registry. */
export const avroTopics = ({ topics }: Pick<Plan, 'topics'>): readonly string[] =>
  topics.filter(({ format }) => format === 'avro').map(({ name }) => name)

/** A line for people. */
export const subjectText = ({ subject, type, standing }: Subject): string =>
  standing.is === 'registered'
    ? `= schema    ${subject}: ${type}, registered as ${standing.id}`
    : `+ schema    ${subject}: ${type}, would be registered`

const wrong = (where: string, message: string): KtError =>
  new KtError('KT6431', message, { where, fix: 'Correct the variable; docs/formats.md has all of them.' })

const readable = (where: string, path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw wrong(where, `"${path}" cannot be read: ${(error as Error).message}`)
  }
}
