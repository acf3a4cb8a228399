import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fileLetters, FileDeadLetters, readDeadLetters } from '../../runtime/driver/dead-letters.ts'
import type { StoredLetter } from '../../runtime/driver/letter.ts'
import { letterOf } from './letter-stores.ts'

const inFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'kt-dead-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const framesOf = async (folder: string): Promise<readonly number[]> => {
  const frames: number[] = []
  for await (const { letter } of readDeadLetters(folder)) frames.push(letter.frame)
  return frames
}

const range = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i)

describe('dead letters in files', () => {
  test('come back as they were, in order, with a name', () =>
    inFolder(async (folder) => {
      const letters = new FileDeadLetters(folder)
      for (const frame of range(1, 5)) letters.add(letterOf(frame))
      await letters.close()
      const found = []
      for await (const one of readDeadLetters(folder)) found.push(one)
      expect(found).toEqual(range(1, 5).map((frame) => ({ id: `1.${frame}`, letter: letterOf(frame) })))
    }))

  test('are none where there is no folder', () =>
    inFolder(async (folder) => expect(await framesOf(join(folder, 'none'))).toEqual([])))

  test('stay within their bound: the oldest go, and are counted', () =>
    inFolder(async (folder) => {
      const letters = new FileDeadLetters(folder, { fileBytes: 4000, bytesMax: 20_000 })
      for (const frame of range(1, 200)) {
        letters.add(letterOf(frame))
        await letters.flush()
      }
      const kept = await framesOf(folder)
      expect(letters.dropped).toBeGreaterThan(100)
      expect(kept).toEqual(range(letters.dropped + 1, 200))
      const sizes = await Promise.all(
        (await readdir(folder)).map(async (file) => (await stat(join(folder, file))).size),
      )
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(20_000)
    }))

  test('of two processes that write at once are there, each once', () =>
    inFolder(async (folder) => {
      const both = [1, 2].map(() => new FileDeadLetters(folder, { fileBytes: 1000 }))
      for (const frame of range(1, 60)) {
        both[frame % 2]!.add(letterOf(frame))
        if (frame % 3 === 0) await Promise.all(both.map((one) => one.flush()))
      }
      await Promise.all(both.map((one) => one.close()))
      const ids = new Set<string>()
      for await (const { id } of readDeadLetters(folder)) ids.add(id)
      expect(ids.size).toBe(60)
      expect((await framesOf(folder)).toSorted((a, b) => a - b)).toEqual(range(1, 60))
      // None is in a file that another one writes: what is cut off there would be the other's.
      for (const file of await readdir(folder)) {
        const lines = (await readFile(join(folder, file), 'utf8')).trim().split('\n')
        const writers = lines.map((line) => (JSON.parse(line) as { readonly frame: number }).frame % 2)
        expect(new Set(writers).size).toBe(1)
      }
    }))

  test('of one place, written by two processes, are one', () =>
    inFolder(async (folder) => {
      const both = [1, 2].map(() => new FileDeadLetters(folder))
      for (const one of both) {
        for (const frame of range(1, 3)) one.add(letterOf(frame))
        await one.close()
      }
      const store = fileLetters(folder)
      const shown = async (): Promise<readonly StoredLetter[]> => {
        const found: StoredLetter[] = []
        for await (const one of store.letters()) found.push(one)
        return found
      }
      const first = await shown()
      expect(first.map(({ letter }) => letter.frame)).toEqual([1, 2, 3])
      expect(await store.remove(new Set([first[1]!.id]))).toBe(1)
      expect((await shown()).map(({ letter }) => letter.frame)).toEqual([1, 3])
    }))

  test('that a kill cut off are passed over, and a new run writes behind them', () =>
    inFolder(async (folder) => {
      const first = new FileDeadLetters(folder)
      for (const frame of range(1, 3)) first.add(letterOf(frame))
      await first.close()
      await appendFile(join(folder, '00000001.jsonl'), '{"source":"binance.spot","cha')
      const second = new FileDeadLetters(folder)
      for (const frame of range(4, 5)) second.add(letterOf(frame))
      await second.close()
      expect(await framesOf(folder)).toEqual(range(1, 5))
    }))

  test('wait in memory while the disk refuses, up to a bound, and the refusal is told', () =>
    inFolder(async (folder) => {
      const place = join(folder, 'letters')
      await writeFile(place, 'a file where the folder should be')
      const refused: string[] = []
      const letters = new FileDeadLetters(place, {
        pendingBytesMax: 5000,
        refused: ({ code }) => refused.push(code),
      })
      for (const frame of range(1, 50)) letters.add(letterOf(frame))
      await letters.flush()
      expect(refused).toEqual(['KT3012'])
      await rm(place)
      letters.add(letterOf(51))
      await letters.close()
      const kept = await framesOf(place)
      expect(kept).toEqual(range(letters.dropped + 1, 51))
      expect(kept.length).toBeGreaterThan(5)
    }))

  test('are removed while a run writes, and a file goes when nothing is left in it', () =>
    inFolder(async (folder) => {
      const letters = new FileDeadLetters(folder, { fileBytes: 1000 })
      for (const frame of range(1, 12)) {
        letters.add(letterOf(frame))
        await letters.flush()
      }
      const store = fileLetters(folder)
      const ids: string[] = []
      for await (const { id, letter } of store.letters()) if (letter.frame !== 6) ids.push(id)
      const files = (await readdir(folder)).toSorted()
      expect(files.length).toBeGreaterThan(3)
      expect(await store.remove(new Set([...ids, '99.1']))).toBe(11)
      expect(await store.remove(new Set(ids))).toBe(0)
      letters.add(letterOf(13))
      await letters.close()
      expect(await framesOf(folder)).toEqual([6, 13])
      const left = await readdir(folder)
      expect(files.filter((file) => left.includes(file)).length).toBeLessThan(3)
      const again = new FileDeadLetters(folder, { fileBytes: 1000 })
      again.add(letterOf(14))
      await again.close()
      expect(await framesOf(folder)).toEqual([6, 13, 14])
    }))
})
