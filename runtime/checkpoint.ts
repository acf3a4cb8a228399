import { HostError } from '../graph/error.ts'
import type { ObjectStore, Partition } from '../graph/port.ts'
import type { SavedEntry, Stage } from './stage.ts'

/**
 * What a shard needs to go on: its states, each as of its own step, and from where to read its own rows
 * again. A state that feeds another is saved before it, so feeding the rows from `from` on makes all of
 * them whole again.
 */
export interface Checkpoint {
  readonly shard: string
  /** The step at which saving began: rows of later steps are fed again. */
  readonly step: number
  /** The next offset of each topic partition after that step. */
  readonly from: readonly (Partition & { readonly next: number })[]
  readonly entries: readonly SavedEntry[]
}

/** A checkpoint as the bytes of its object, and the step at which saving it began. */
export interface Written {
  readonly step: number
  readonly from: Checkpoint['from']
  readonly bytes: Uint8Array
}

const MAGIC = 'kt-checkpoint 1'
const KEEP = 2

/**
 * A text as bytes with its checksum (FNV-1a: a torn or edited checkpoint is found, and never believed), taken
 * piece by piece, so that nobody waits for all of a large one at once.
 */
class Body {
  readonly #pieces: Uint8Array[] = []
  #length = 0
  #sum = 0x811c9dc5

  add(text: string): void {
    const piece = encoder.encode(text)
    this.#pieces.push(piece)
    this.#length += piece.length
    this.#sum = sum(piece, this.#sum)
  }

  /** Behind a line that says what it must be. */
  whole(): Uint8Array {
    const head = encoder.encode(`${MAGIC} ${hex(this.#sum)} ${this.#length}\n`)
    const bytes = new Uint8Array(head.length + this.#length)
    bytes.set(head)
    let at = head.length
    for (const piece of this.#pieces) {
      bytes.set(piece, at)
      at += piece.length
    }
    return bytes
  }
}

const encoder = new TextEncoder()

const sum = (bytes: Uint8Array, before = 0x811c9dc5): number => {
  let hash = before
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return hash
}

const hex = (hash: number): string => (hash >>> 0).toString(16).padStart(8, '0')

const folder = (shard: string): string => `checkpoints/${shard.replaceAll('/', '-')}/`
const pathOf = (shard: string, step: number): string =>
  `${folder(shard)}${String(step).padStart(16, '0')}.ckpt`

/** Write a checkpoint, whole, and let go of all but the newest two. */
export const saveCheckpoint = async (
  objects: ObjectStore,
  shard: string,
  { step, bytes }: Written,
): Promise<void> => {
  await objects.put(pathOf(shard, step), bytes)
  const all = await objects.list(folder(shard))
  for (const old of all.slice(0, -KEEP)) await objects.remove(old)
}

/**
 * The newest checkpoint that is whole. A broken one is passed over, and named in `broken`. When none is
 * whole and some are there, that is an error: starting from nothing must be somebody's choice.
 */
export const loadCheckpoint = async (
  objects: ObjectStore,
  shard: string,
): Promise<{ readonly checkpoint: Checkpoint | undefined; readonly broken: readonly string[] }> => {
  const broken: string[] = []
  for (const path of (await objects.list(folder(shard))).toReversed()) {
    const checkpoint = parse(await objects.get(path))
    if (checkpoint !== undefined) return { checkpoint, broken }
    broken.push(path)
  }
  if (broken.length === 0) return { checkpoint: undefined, broken }
  throw new HostError('KT4002', `no checkpoint of shard "${shard}" can be read`, {
    where: broken.join(', '),
    why: 'their checksums do not match their contents',
    fix: 'Start with --rebuild to make the state from the log again.',
    retry: 'never',
  })
}

/** What is read was written by another run. */
export const orphan = (shard: string): HostError =>
  new HostError('KT4003', `shard "${shard}" has a checkpoint and no log`, {
    why: 'the log was removed, or belongs to another run',
    fix: 'Give the data folder its log back, or remove its checkpoints to start anew.',
    retry: 'never',
  })

const parse = (bytes: Uint8Array | undefined): Checkpoint | undefined => {
  if (bytes === undefined) return undefined
  const end = bytes.indexOf(10)
  const head = new TextDecoder().decode(bytes.subarray(0, end)).split(' ')
  const body = bytes.subarray(end + 1)
  if (head.slice(0, 2).join(' ') !== MAGIC || head[2] !== hex(sum(body)) || Number(head[3]) !== body.length)
    return undefined
  return JSON.parse(new TextDecoder().decode(body)) as Checkpoint
}

/**
 * Saves states a few at a time, between steps, so that no flush waits for all of them. A round ends with a
 * whole checkpoint, which is then written in the background.
 */
export class Saver {
  readonly #stage: Pick<Stage, 'states' | 'save'>
  readonly #shard: string
  #left: (readonly [string, string])[] = []
  #body = new Body()
  #saved = 0
  #begun: Pick<Checkpoint, 'step' | 'from'> | undefined

  constructor(stage: Pick<Stage, 'states' | 'save'>, shard: string) {
    this.#stage = stage
    this.#shard = shard
  }

  /** Is a round under way? */
  get saving(): boolean {
    return this.#begun !== undefined
  }

  /**
   * Save up to `most` states as of `step`, which has just been cut; the checkpoint when that was the last
   * of a round.
   */
  some(most: number, step: number, from: Checkpoint['from']): Written | undefined {
    if (this.#begun === undefined) {
      this.#begun = { step, from: from.map((one) => ({ ...one })) }
      this.#left = this.#stage.states().toReversed()
      this.#saved = 0
      this.#body = new Body()
      const head = JSON.stringify({ shard: this.#shard, ...this.#begun })
      this.#body.add(`${head.slice(0, -1)},"entries":[`)
    }
    for (let i = 0; i < most && this.#left.length > 0; i++) {
      const [node, key] = this.#left.pop()!
      const saved = this.#stage.save(node, key, step)
      if (saved !== undefined) this.#body.add(`${this.#saved++ === 0 ? '' : ','}${JSON.stringify(saved)}`)
    }
    if (this.#left.length > 0) return undefined
    const { step: begun, from: begunFrom } = this.#begun
    this.#begun = undefined
    this.#body.add(']}')
    const bytes = this.#body.whole()
    this.#body = new Body()
    return { step: begun, from: begunFrom, bytes }
  }
}
