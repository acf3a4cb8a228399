import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ObjectArchive } from '../../graph/port.ts'
import { fileStore } from '../../runtime/driver/files.ts'
import { childOf } from './child.ts'
import { bytes, conformance } from './objects.conformance.ts'
import { codeOf } from './steps.ts'

const inStore = async (use: (store: ObjectArchive, folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'kt-files-'))
  try {
    await use(fileStore(folder), folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

describe('a store of objects in a folder', () => {
  conformance((on) => inStore(on))

  test('leaves nothing beside the objects', () =>
    inStore(async (store, folder) => {
      await Promise.all(Array.from({ length: 9 }, () => store.putIfAbsent('commit/1', bytes('x'))))
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
