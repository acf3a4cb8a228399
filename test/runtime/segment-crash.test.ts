import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HostError } from '../../graph/error.ts'
import type { Placed } from '../../graph/port.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { Child, childOf } from './child.ts'
import { inFolder } from './segment-home.ts'
import { brief, bytesFor, codeOf, drain, fill, from, stepOf } from './steps.ts'

const KILLS = Number(process.env['KT_KILLS'] ?? 10)

/** Every step once, whole, in order, with the bytes that were handed over. */
const checkSteps = (found: readonly Placed[], first: number): void => {
  expect(found.length % 2).toBe(0)
  for (const [i, placed] of found.entries()) {
    const step = first + Math.floor(i / 2)
    const topic = i % 2 === 0 ? 't' : 'u'
    expect(brief(placed)).toBe(`${topic}/0@${step - 1} a.${placed.epoch}.${step} ${step + (i % 2)}`)
    expect(Buffer.compare(placed.bytes, bytesFor(step, i % 2, 200 + (step % 7) * 400))).toBe(0)
  }
}

describe('a writer that is killed', () => {
  test(
    `keeps every acknowledged step, once and whole, over ${KILLS} kills`,
    { timeout: 10_000 + KILLS * 2000 },
    () =>
      inFolder(async (folder) => {
        let next = 1
        let epoch = 0
        for (let kill = 0; kill < KILLS; kill++) {
          const child = childOf('log-child.ts', 'append', folder)
          if (kill % 3 !== 0) await child.line('acked')
          await new Promise((resolve) => setTimeout(resolve, Math.random() * (kill % 3 === 0 ? 120 : 60)))
          await child.kill()
          const acked = child.lines.map((line) => Number(line.slice('acked '.length)))
          expect(acked).toEqual(acked.map((_, i) => next + i))
          const log = await segmentLog(folder, { segmentBytes: 65536 })
          const writer = await log.write('a')
          const last = writer.last?.step ?? 0
          expect(last).toBeGreaterThanOrEqual(next - 1 + acked.length)
          expect(writer.epoch).toBeGreaterThan(epoch)
          epoch = writer.epoch
          if (last > 0) expect(writer.last?.inputs).toEqual([{ topic: 'raw', partition: 0, next: last * 10 }])
          const found = await drain(
            await log.read([
              { topic: 't', partition: 0, offset: next - 1 },
              { topic: 'u', partition: 0, offset: next - 1 },
            ]),
          )
          checkSteps(found, next)
          expect(found.length / 2).toBe(last - next + 1)
          next = last + 1
          await log.close()
        }
        expect(next).toBeGreaterThan(KILLS)
        const log = await segmentLog(folder)
        checkSteps(await drain(await log.read(from('t', 'u'))), 1)
        await log.close()
      }),
  )
})

const mounted = (folder: string): boolean => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('a disk that refuses', () => {
  test('a full disk refuses steps whole, and the log goes on when there is space', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'kt-full-'))
    if (!mounted(folder)) return context.skip('mounting a small disk takes root')
    try {
      await writeFile(join(folder, 'ballast'), new Uint8Array(400_000))
      const log = await segmentLog(join(folder, 'log'), { segmentBytes: 100_000 })
      const writer = await log.write('a')
      const results = await Promise.allSettled(
        Array.from({ length: 60 }, (_, i) => writer.append(stepOf('a', i + 1, ['t', 'u'], 10_000))),
      )
      const acked = results.findIndex(({ status }) => status === 'rejected')
      const refusals = results
        .slice(acked)
        .map((result) => (result.status === 'rejected' ? (result.reason as HostError) : undefined))
      expect(
        refusals.every(
          (one) => one instanceof HostError && one.code === 'KT3005' && one.facts['errno'] === 'ENOSPC',
        ),
      ).toBe(true)
      expect(refusals[0]?.retry).toEqual({ afterMs: 1000 })
      expect(writer.pendingBytes()).toBe(0)
      expect(await drain(await log.read(from('t', 'u')))).toHaveLength(acked * 2)
      let step = acked + 1
      while ((await codeOf(writer.append(stepOf('a', step, ['t', 'w'], 10_000)))) === 'no error') step++
      expect(await drain(await log.read(from('t')))).toHaveLength(step - 1)
      await rm(join(folder, 'ballast'))
      await fill(writer, 'a', step, step + 5, ['t', 'v'], 10_000)
      const found = await drain(await log.read(from('t')))
      expect(found.map((one) => [one.offset, one.step])).toEqual(
        Array.from({ length: step + 5 }, (_, i) => [i, i + 1]),
      )
      await log.close()
      const again = await segmentLog(join(folder, 'log'))
      expect((await again.write('a')).last?.step).toBe(step + 5)
      expect((await drain(await again.read(from('v')))).map(brief).at(-1)).toBe(
        `v/0@5 a.1.${step + 5} ${step + 6}`,
      )
      await again.close()
    } finally {
      execFileSync('umount', ['-l', folder])
      await rm(folder, { recursive: true })
    }
  })

  test.skipIf(process.platform !== 'linux')(
    'a file that may not grow is cut back, and goes on when it may',
    () =>
      inFolder(async (folder) => {
        const script = join(import.meta.dirname, 'log-child.ts')
        const child = new Child('bash', [
          '-c',
          `ulimit -S -f 300; exec "${process.execPath}" "${script}" limit "${folder}" 10000000`,
        ])
        expect(await child.line('refused')).toMatch(/^refused 16 KT3005 seen 15$/)
        await new Promise((resolve) => setTimeout(resolve, 60))
        execFileSync('prlimit', ['--pid', String(child.process.pid), '--fsize=unlimited'])
        expect(await child.line('done')).toBe('done 40')
        await child.end()
        const log = await segmentLog(folder)
        expect((await log.write('a')).last?.step).toBe(40)
        await log.close()
      }),
  )
})
