import { expect, test } from 'vitest'
import type { ObjectArchive } from '../../graph/port.ts'
import { codeOf } from './steps.ts'

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const textOf = async (store: ObjectArchive, path: string): Promise<string | undefined> => {
  const found = await store.get(path)
  return found === undefined ? undefined : new TextDecoder().decode(found)
}

/** What every object store keeps to. `use` gives a fresh, empty one. */
export const conformance = (use: (on: (store: ObjectArchive) => Promise<void>) => Promise<void>): void => {
  test('gives back what was put, replaced and removed', () =>
    use(async (store) => {
      expect(await textOf(store, 'a/b/c')).toBeUndefined()
      await store.put('a/b/c', bytes('one'))
      await store.put('a/b/c', bytes('two'))
      expect(await textOf(store, 'a/b/c')).toBe('two')
      await store.remove('a/b/c')
      await store.remove('a/b/c')
      await store.remove('no/such/folder')
      expect(await textOf(store, 'a/b/c')).toBeUndefined()
    }))

  test('keeps bytes as they are, none and many, under names that need care', () =>
    use(async (store) => {
      const many = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 255)
      await store.put('dt=2026-01-02/a b+c%41&d=ü.parquet', many)
      await store.put('none', new Uint8Array(0))
      expect(Buffer.compare((await store.get('dt=2026-01-02/a b+c%41&d=ü.parquet'))!, many)).toBe(0)
      expect(await store.get('none')).toHaveLength(0)
      expect(await store.list('dt=')).toEqual(['dt=2026-01-02/a b+c%41&d=ü.parquet'])
    }))

  test('lists by the beginning of the path, in order', () =>
    use(async (store) => {
      for (const path of ['log/2', 'log/10', 'log/sub/1', 'logs/1', 'x']) await store.put(path, bytes(path))
      expect(await store.list('')).toEqual(['log/10', 'log/2', 'log/sub/1', 'logs/1', 'x'])
      expect(await store.list('log/')).toEqual(['log/10', 'log/2', 'log/sub/1'])
      expect(await store.list('log')).toEqual(['log/10', 'log/2', 'log/sub/1', 'logs/1'])
      expect(await store.list('log/1')).toEqual(['log/10'])
      expect(await store.list('nothing/here/')).toEqual([])
    }))

  test('tells sizes and ages', () =>
    use(async (store) => {
      const before = (Date.now() - 2000) * 1000
      await store.put('log/2', bytes('four'))
      await store.put('log/1', bytes('seven'))
      const found = await store.listed('log/')
      expect(found.map(({ path, size }) => [path, size])).toEqual([
        ['log/1', 5],
        ['log/2', 4],
      ])
      for (const { modified } of found) {
        expect(modified).toBeGreaterThan(before)
        expect(modified).toBeLessThan((Date.now() + 2000) * 1000)
      }
    }))

  test('hands out parts, from either end, and no more than there is', () =>
    use(async (store) => {
      await store.put('ten', bytes('0123456789'))
      const part = async (first: number, length: number): Promise<string> =>
        new TextDecoder().decode(await store.range('ten', first, length))
      expect(await part(2, 3)).toBe('234')
      expect(await part(-4, 4)).toBe('6789')
      expect(await part(-4, 2)).toBe('67')
      expect(await part(8, 100)).toBe('89')
      expect(await part(-100, 100)).toBe('0123456789')
      expect(await part(10, 5)).toBe('')
      expect(await part(3, 0)).toBe('')
      expect(await store.range('none', 0, 1)).toBeUndefined()
    }))

  test('of many who put if absent one wins, and its bytes stay', () =>
    use(async (store) => {
      const wins = await Promise.all(
        Array.from({ length: 30 }, (_, i) => store.putIfAbsent('commit/1', bytes(`by ${i}`))),
      )
      expect(wins.filter(Boolean)).toHaveLength(1)
      expect(await textOf(store, 'commit/1')).toBe(`by ${wins.indexOf(true)}`)
      expect(await store.putIfAbsent('commit/1', bytes('late'))).toBe(false)
      expect(await store.list('commit/')).toEqual(['commit/1'])
    }))

  test.each(['', '/', '../x', 'a/../../x', 'a//b', './a', 'a/', '/etc/passwd', 'a\\b', 'a\0b'])(
    'refuses the path "%s"',
    (path) =>
      use(async (store) => {
        expect(await codeOf((async () => store.put(path, bytes('x')))())).toBe('KT3010')
        expect(await codeOf((async () => store.get(path))())).toBe('KT3010')
        expect(await codeOf((async () => store.range(path, 0, 1))())).toBe('KT3010')
        expect(await codeOf((async () => store.remove(path))())).toBe('KT3010')
      }),
  )
}
