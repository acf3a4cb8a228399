import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { HostError, KtError } from '../graph/error.ts'
import type { DeadLetters } from '../graph/port.ts'
import { systemClock } from '../runtime/driver/clock.ts'
import { FileDeadLetters, fileLetters } from '../runtime/driver/dead-letters.ts'
import { fileStore } from '../runtime/driver/files.ts'
import { letterPlace } from '../runtime/driver/letter.ts'
import type { LetterStore, StoredLetter } from '../runtime/driver/letter.ts'
import type { SqsQueue } from '../runtime/driver/sqs.ts'
import { openStore } from './lake-store.ts'
import { foldersOf } from './settings.ts'

/** Where the dead letters of a run are, and what gives back what was opened for it. */
export interface LettersAt {
  readonly name: string
  readonly store: LetterStore
  readonly close: () => Promise<void>
}

type Env = Readonly<Record<string, string | undefined>>

/** The queue that KT_DLQ names; letters that are too long for it lie where KT_DLQ_BODIES says. */
const queueOf = async (
  folder: string,
  url: string,
  env: Env,
): Promise<{ readonly queue: SqsQueue; readonly close: () => void }> => {
  if (!/^https?:\/\/[^/@]+\/./.test(url))
    throw new KtError('KT6423', 'the address of the dead-letter queue cannot be understood', {
      why: 'KT_DLQ is the URL of a queue of SQS, without credentials in it',
      fix: 'Write https://sqs.eu-west-1.amazonaws.com/<account>/<queue>, or leave it out for files.',
    })
  const bodies = env['KT_DLQ_BODIES']
  const { objects, close } =
    bodies === undefined
      ? { objects: fileStore(join(folder, 'bodies')), close: () => undefined }
      : await openStore(bodies)
  const region = /^https:\/\/sqs\.([a-z0-9-]+)\./.exec(url)?.[1] ?? env['AWS_REGION'] ?? 'us-east-1'
  const random = { below: (n: number): number => randomInt(Math.max(1, Math.floor(n))) }
  return { queue: { url, region, objects, clock: systemClock(), random }, close }
}

/** Where a run puts its dead letters. */
export interface LetterWriter extends DeadLetters {
  readonly dropped: number
  /** Resolves when all that was added is on the disk, or with the queue. */
  readonly flush: () => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * The dead letters of a run, to write: to SQS where KT_DLQ names a queue, else to its folder. What the queue
 * has not taken when the run ends, or when too much waits, goes to the folder as well.
 */
export const writeLetters = async (
  root: string,
  refused: (error: HostError) => void,
  env: Env = process.env,
): Promise<LetterWriter> => {
  const folder = foldersOf(root).deadLetters
  const url = env['KT_DLQ']
  if (url === undefined) return new FileDeadLetters(folder, { refused })
  const { queue, close } = await queueOf(folder, url, env)
  const { SqsDeadLetters } = await import('../runtime/driver/sqs.ts')
  const files = new FileDeadLetters(folder, { refused })
  let left = 0
  const letters = new SqsDeadLetters({
    ...queue,
    refused,
    left: (letter) => {
      left++
      files.add(letter)
    },
  })
  return {
    add: letters.add,
    flush: () => letters.flush(),
    get dropped() {
      return letters.dropped + files.dropped
    },
    close: async () => {
      await letters.close()
      await files.close()
      close()
      if (left > 0) refused(leftOver(left, folder))
    },
  }
}

const leftOver = (left: number, folder: string): HostError =>
  new HostError('KT3026', `${left} dead letters are in files, for the queue did not take them`, {
    where: folder,
    fix: 'kt dlq shows and removes them with those of the queue.',
    retry: 'never',
  })

/** The dead letters of a run: in its folder, and in SQS where KT_DLQ names a queue. */
export const openLetters = async (root: string, env: Env = process.env): Promise<LettersAt> => {
  const folder = foldersOf(root).deadLetters
  const url = env['KT_DLQ']
  if (url === undefined) {
    const store = fileLetters(folder)
    return { name: folder, store, close: store.close }
  }
  const { queue, close } = await queueOf(folder, url, env)
  const { sqsLetters } = await import('../runtime/driver/sqs-letters.ts')
  const store = together(sqsLetters(queue), fileLetters(folder))
  return {
    name: url,
    store,
    close: async () => {
      await store.close()
      close()
    },
  }
}

/** Letters of a queue, and those that it did not take: one that is in both is one. */
const together = (queue: LetterStore, files: LetterStore): LetterStore => ({
  async *letters() {
    const seen = new Set<string>()
    for (const store of [queue, files])
      for await (const one of store.letters()) {
        const place = letterPlace(one.letter)
        if (!seen.has(place)) yield one
        seen.add(place)
      }
  },
  remove: async (ids) => {
    const removed = await queue.remove(ids)
    const asked = ({ id, letter }: StoredLetter): boolean => ids.has(id) || ids.has(letterPlace(letter))
    const here: StoredLetter[] = []
    for await (const one of files.letters()) if (asked(one)) here.push(one)
    await files.remove(new Set(here.map(({ id }) => id)))
    return removed + here.filter(({ id }) => ids.has(id)).length
  },
  close: async () => {
    await queue.close()
    await files.close()
  },
})
