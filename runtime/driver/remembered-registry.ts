import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { KtError } from '../../graph/error.ts'
import type { RegisteredSchema, Registry } from '../format/registry.ts'

/** What a registry has said: ids by subject and schema, and schemas by id. */
interface Said {
  readonly url: string
  readonly ids: Readonly<Record<string, number>>
  readonly schemas: Readonly<Record<string, RegisteredSchema>>
}

/**
 * A registry whose answers are kept in a file: what it has said of a schema never changes. It is asked first;
 * where it does not answer (KT3040), what it said before holds. So a shard that died begins again while the
 * registry is away. Answers of another address are not used.
 */
export const rememberedRegistry = (registry: Registry, url: string, file: string): Registry => {
  const said = (): Said => readSaid(file, url)
  const keep = (more: Partial<Said>): void => {
    const { ids, schemas } = said()
    writeSaid(file, { url, ids: { ...ids, ...more.ids }, schemas: { ...schemas, ...more.schemas } })
  }
  return {
    register: async (subject, schema) => {
      const known = said().ids[keyOf(subject, schema)]
      const id = await orBefore(registry.register(subject, schema), known)
      if (id !== known) keep({ ids: { [keyOf(subject, schema)]: id }, schemas: { [id]: schema } })
      return id
    },
    standing: (subject, schema) => {
      const id = said().ids[keyOf(subject, schema)]
      return orBefore(
        registry.standing(subject, schema),
        id === undefined ? undefined : { is: 'registered', id },
      )
    },
    find: async (id) => {
      const known = said().schemas[id]
      const schema = await orBefore(registry.find(id), known)
      if (known === undefined) keep({ schemas: { [id]: schema } })
      return schema
    },
  }
}

const keyOf = (subject: string, { type, text }: RegisteredSchema): string => `${subject} ${type} ${text}`

const orBefore = async <T>(answer: Promise<T>, before: T | undefined): Promise<T> => {
  try {
    return await answer
  } catch (error) {
    if (before !== undefined && error instanceof KtError && error.code === 'KT3040') return before
    throw error
  }
}

const readSaid = (file: string, url: string): Said => {
  try {
    const said = JSON.parse(readFileSync(file, 'utf8')) as Said
    if (said.url === url) return said
  } catch {
    // Nothing was said yet, or the file is torn: the registry says it again.
  }
  return { url, ids: {}, schemas: {} }
}

/** Whole or not at all: several parts of a run may write it. */
const writeSaid = (file: string, said: Said): void => {
  mkdirSync(dirname(file), { recursive: true })
  const writing = `${file}.${process.pid}`
  writeFileSync(writing, JSON.stringify(said))
  renameSync(writing, file)
}
