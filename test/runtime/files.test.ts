import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ObjectStore } from '../../graph/port.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { childOf } from './child.ts'
import { codeOf } from './steps.ts'

const inStore = async (use: (store: ObjectStore, folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'kt-files-'))
  try {
    await use(fileStore(folder), folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = async (store: ObjectStore, path: string): Promise<string | undefined> => {
  const found = await store.get(path)
  return found === undefined ? undefined : new TextDecoder().decode(found)
}

describe('a store of objects in a folder', () => {
  test('gives back what was put, replaced and removed', () =>
    inStore(async (store) => {
      expect(await textOf(store, 'a/b/c')).toBeUndefined()
      await store.put('a/b/c', bytes('one'))
      await store.put('a/b/c', bytes('two'))
      expect(await textOf(store, 'a/b/c')).toBe('two')
      await store.remove('a/b/c')
      await store.remove('a/b/c')
      await store.remove('no/such/folder')
      expect(await textOf(store, 'a/b/c')).toBeUndefined()
    }))

  test('lists by the beginning of the path, in order', () =>
    inStore(async (store) => {
      for (const path of ['log/2', 'log/10', 'log/sub/1', 'logs/1', 'x']) await store.put(path, bytes(path))
      expect(await store.list('')).toEqual(['log/10', 'log/2', 'log/sub/1', 'logs/1', 'x'])
      expect(await store.list('log/')).toEqual(['log/10', 'log/2', 'log/sub/1'])
      expect(await store.list('log')).toEqual(['log/10', 'log/2', 'log/sub/1', 'logs/1'])
      expect(await store.list('log/1')).toEqual(['log/10'])
      expect(await store.list('nothing/here/')).toEqual([])
    }))

  test('of many who put if absent one wins, and its bytes stay', () =>
    inStore(async (store, folder) => {
      const wins = await Promise.all(
        Array.from({ length: 30 }, (_, i) => store.putIfAbsent('commit/1', bytes(`by ${i}`))),
      )
      expect(wins.filter(Boolean)).toHaveLength(1)
      expect(await textOf(store, 'commit/1')).toBe(`by ${wins.indexOf(true)}`)
      expect(await store.putIfAbsent('commit/1', bytes('late'))).toBe(false)
      expect(await readdir(join(folder, 'commit'))).toEqual(['1'])
    }))

  test('of many processes one wins each path', { timeout: 20_000 }, () =>
    inStore(async (store, folder) => {
      const children = Array.from({ length: 3 }, (_, i) => childOf('files-child.ts', folder, `p${i}`))
      for (const child of children) await child.line('ready')
      await store.put('go', bytes('go'))
      for (const child of children) await child.end()
      const wins = children.flatMap(({ lines }) => lines.filter((line) => line.startsWith('won'))).toSorted()
      expect(wins).toEqual(Array.from({ length: 20 }, (_, i) => `won ${i}`).toSorted())
    }),
  )

  test.each(['', '/', '../x', 'a/../../x', 'a//b', './a', 'a/', '/etc/passwd', 'a\\b', 'a\0b'])(
    'refuses the path "%s"',
    (path) =>
      inStore(async (store) => {
        expect(await codeOf(store.put(path, bytes('x')))).toBe('KT3010')
        expect(await codeOf(store.get(path))).toBe('KT3010')
        expect(await codeOf(store.remove(path))).toBe('KT3010')
      }),
  )

  test('says what the disk refused, and leaves nothing behind', () =>
    inStore(async (store, folder) => {
      await symlink('/proc/no-such-folder', join(folder, 'bad'))
      expect(await codeOf(store.put('bad/x', bytes('x')))).toBe('KT3011')
      await store.put('whole', bytes('x'))
      await store.put('dir/x', bytes('x'))
      expect(await codeOf(store.put('dir', bytes('x')))).toBe('KT3011')
      expect((await readdir(folder)).toSorted()).toEqual(['bad', 'dir', 'whole'])
    }))
})
