import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { Fleet } from '../../deploy/driver/fleet.ts'
import type { ScriptedPart } from './part.ts'

const folders: string[] = []
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })))

const started = async (script: Partial<ScriptedPart>, finishes: boolean) => {
  const { starting, ...part } = starts(script, finishes)
  await starting
  return part
}

const starts = (script: Partial<ScriptedPart>, finishes: boolean, restart: 'always' | 'never' = 'always') => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-fleet-'))
  folders.push(folder)
  const said = join(folder, 'said')
  writeFileSync(said, '')
  const told: string[] = []
  const fleet = new Fleet({
    logs: folder,
    message: () => undefined,
    failed: (part) => told.push(`${part} failed`),
    restarted: (part) => told.push(`${part} restarted`),
  })
  const settings: ScriptedPart = { said, startMs: [0], failures: 0, retry: 'passing', ...script }
  const starting = fleet.start({
    name: 'sink',
    file: resolve(import.meta.dirname, 'part.ts'),
    settings,
    restart,
    finishes,
  })
  return {
    starting,
    fleet,
    told,
    kill: () => process.kill(fleet.pid('sink')!, 'SIGKILL'),
    words: () => readFileSync(said, 'utf8').trim().split('\n').join(' '),
    until: async (done: () => boolean) => {
      while (!done()) await pause(10)
    },
  }
}

describe('a part that has something to finish', () => {
  test('finishes when it is asked, and that is all', async () => {
    const { fleet, words } = await started({}, true)
    expect(await fleet.stop('sink')).toBe(true)
    expect(words()).toBe('start stop finished')
  })

  test('is started once more for it where it is down', async () => {
    const { fleet, words, kill, told, until } = await started({}, true)
    kill()
    await until(() => told.length > 0)
    expect(await fleet.stop('sink')).toBe(true)
    expect(words()).toBe('start start stop finished')
  })

  test('finishes when it is ready where it is just starting again', async () => {
    const { fleet, words, kill, until } = await started({ startMs: [0, 1500] }, true)
    kill()
    await until(() => words() === 'start start')
    expect(await fleet.stop('sink')).toBe(true)
    expect(words()).toBe('start start stop finished')
  })

  test('tries again where it fails, for as long as it may take', async () => {
    const { fleet, words } = await started({ failures: 2 }, true)
    expect(await fleet.stop('sink')).toBe(true)
    expect(words()).toBe('start stop start stop start stop finished')
  })

  test('is given up, and that is said, where it would fail the same way, or when its time is over', async () => {
    const never = await started({ failures: 9, retry: 'never' }, true)
    expect(await never.fleet.stop('sink')).toBe(false)
    expect(never.words()).toBe('start stop')
    const unknown = await started({ failures: 9, retry: 'unknown' }, true)
    expect(await unknown.fleet.stop('sink')).toBe(false)
    expect(
      unknown
        .words()
        .split(' ')
        .filter((word) => word === 'stop'),
    ).toHaveLength(4)
    const late = await started({ startMs: [0, 60_000] }, true)
    late.kill()
    await late.until(() => late.words() === 'start start')
    expect(await late.fleet.stop('sink', 300)).toBe(false)
    expect(late.words()).toBe('start start')
  })
})

describe('a part that has nothing to finish', () => {
  test('is not started again when it is down, and that is no failure', async () => {
    const { fleet, words, kill, told, until } = await started({ startMs: [0, 60_000] }, false)
    kill()
    await until(() => told.length > 0)
    expect(await fleet.stop('sink')).toBe(true)
    expect(words()).toBe('start')
  })

  test('says so when it fails while it stops', async () => {
    const { fleet, words } = await started({ failures: 1 }, false)
    expect(await fleet.stop('sink')).toBe(false)
    expect(words()).toBe('start stop')
  })
})

describe('a part that is killed while it starts', () => {
  test('is started again: nothing is wrong with it', async () => {
    const { starting, fleet, kill, told, words, until } = starts({ startMs: [60_000, 0] }, false)
    await until(() => words() === 'start')
    kill()
    await starting
    expect(told).toEqual(['sink restarted'])
    expect(await fleet.stop('sink')).toBe(true)
  })

  test('is given up where it may not be started again', async () => {
    const { starting, kill, words, until } = starts({ startMs: [60_000] }, false, 'never')
    await until(() => words() === 'start')
    kill()
    await expect(starting).rejects.toThrow('ended with 137 before it was ready')
  })
})
