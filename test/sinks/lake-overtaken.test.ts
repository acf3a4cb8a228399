import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { systemClock } from '../../runtime/driver/clock.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { MemoryLog } from '../../runtime/memory-log.ts'
import { overtakenLake } from './lake-overtaken.ts'

const ALL = { bytes: 0, ageMs: 0, pastReaders: true }
const folders: string[] = []

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

overtakenLake('in memory', async () => {
  const log = new MemoryLog(systemClock())
  return { log, pass: async () => void (await log.retain(ALL)) }
})

overtakenLake('with the embedded log', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kt-log-'))
  folders.push(folder)
  const log = await segmentLog(folder, { segmentBytes: 16_384 })
  return { log, pass: async () => void (await log.retain(ALL)) }
})
