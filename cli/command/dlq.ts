import { writeFileSync } from 'node:fs'
import { snake } from '../../graph/schema.ts'
import { KtError } from '../../graph/error.ts'
import { letterPlace } from '../../runtime/driver/letter.ts'
import type { StoredLetter } from '../../runtime/driver/letter.ts'
import { loadGraph, planOf } from '../graph-file.ts'
import { openLetters } from '../letters.ts'
import type { LettersAt } from '../letters.ts'
import { instrumentsIn, reread, taped } from '../letters-replay.ts'
import { EXIT, print, printJson, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { lookAtLog } from '../look.ts'
import { runFolder } from '../settings.ts'
import { wantsOf } from '../source.ts'
import { sizeText, table } from '../table.ts'

interface LetterOptions extends GlobalOptions {
  readonly data?: string
}

const SHOWN = 1000

/** The letters that are meant: all, or those that are named. */
const withLetters = async <T>(
  options: LetterOptions,
  ids: readonly string[],
  use: (letters: readonly StoredLetter[], at: LettersAt, file: string, root: string) => Promise<T>,
): Promise<T> => {
  const { root, run } = runFolder(options.data)
  const at = await openLetters(root)
  try {
    const letters: StoredLetter[] = []
    for await (const one of at.store.letters())
      if (ids.length === 0 || ids.includes(one.id)) letters.push(one)
    const strange = ids.find((id) => letters.every((one) => one.id !== id))
    if (strange !== undefined)
      throw new KtError('KT6424', `there is no dead letter "${strange}"`, {
        where: at.name,
        fix: 'kt dlq list has their names.',
      })
    return await use(letters, at, run.file, root)
  } finally {
    await at.close()
  }
}

const about = ({ id, letter }: StoredLetter): object => ({
  id,
  ...letter,
  time: new Date(letter.received / 1000).toISOString(),
  bytes: letter.bytes.length,
})

/** Letters with where they came from and why. */
export const list = (options: LetterOptions): Promise<number> =>
  withLetters(options, [], async (letters, at) => {
    if (options.json === true) printJson(letters.map(about))
    else {
      const rows = letters
        .slice(0, SHOWN)
        .map(({ id, letter }) => [
          id,
          new Date(letter.received / 1000).toISOString(),
          `${letter.source}.${letter.channel}`,
          sizeText(letter.bytes.length),
          letter.error.split('\n')[0],
        ])
      print(table(['letter', 'received', 'channel', 'size', 'error'], rows))
      if (options.quiet !== true) say(`${letters.length} dead letters in ${at.name}`)
    }
    return Promise.resolve(EXIT.ok)
  })

/** One letter with its bytes as they came. */
export const show = (id: string, options: LetterOptions): Promise<number> =>
  withLetters(options, [id], async ([one]) => {
    const text = new TextDecoder().decode(one!.letter.bytes)
    if (options.json === true)
      printJson({ ...about(one!), bytes: Buffer.from(one!.letter.bytes).toString('base64') })
    else {
      const { source, channel, connection, epoch, frame, mapping, error } = one!.letter
      say(`${source}.${channel} connection ${connection} epoch ${epoch} frame ${frame}, mapping ${mapping}`)
      say(error)
      print(text)
    }
    return Promise.resolve(EXIT.ok)
  })

interface ReplayOptions extends LetterOptions {
  readonly out?: string
  readonly tape?: string
  readonly purge?: boolean
}

/** Map letters again with the mappings of today; exit code 2 when some still do not map. */
export const replay = (ids: readonly string[], options: ReplayOptions): Promise<number> =>
  withLetters(options, ids, async (letters, at, file, root) => {
    const plan = planOf(await loadGraph(file))
    const log = await lookAtLog(root)
    const known = await instrumentsIn(log).finally(() => log.close())
    const found = letters.length === 0 ? [] : reread(plan, letters, known)
    const mapped = found.filter(({ error }) => error === undefined)
    if (options.out !== undefined) writeFileSync(options.out, mapped.flatMap(lines).join(''))
    if (options.tape !== undefined) {
      const sources = plan.stages.flatMap(wantsOf).map(({ source }) => source)
      await taped(
        options.tape,
        sources,
        mapped.map(({ letter }) => letter),
        known,
      )
    }
    if (options.purge === true) await at.store.remove(new Set(mapped.map(({ id }) => id)))
    const rows = mapped.reduce((sum, one) => sum + one.rows.length, 0)
    if (options.json === true)
      printJson(found.map(({ id, rows: made, error }) => ({ id, rows: made.length, error })))
    else {
      for (const { id, error } of found) if (error !== undefined) print(`${id}: ${error}`)
      say(`${mapped.length} of ${found.length} letters map now, to ${rows} rows`)
    }
    return mapped.length === found.length ? EXIT.ok : EXIT.findings
  })

/** Rows as lines, each with the place of its frame: who loads them twice can tell. */
const lines = ({ letter, rows }: ReturnType<typeof reread>[number]): readonly string[] =>
  rows.map(({ schema, row }, at) => {
    const cells = Object.entries(row).map(([name, value]) => [snake(name), value] as const)
    const place = { _letter: letterPlace(letter), _row: at, _schema: schema }
    return `${JSON.stringify({ ...place, ...Object.fromEntries(cells) })}\n`
  })

/** Take letters away. */
export const purge = (
  ids: readonly string[],
  options: LetterOptions & { readonly all?: boolean },
): Promise<number> =>
  withLetters(options, ids, async (letters, at) => {
    if (ids.length === 0 && options.all !== true)
      throw new KtError('KT6425', 'no dead letter is named', {
        fix: 'Name letters of kt dlq list, or give --all.',
      })
    const removed = await at.store.remove(new Set(letters.map(({ id }) => id)))
    if (options.json === true) printJson({ removed })
    else say(`${removed} dead letters are removed`)
    return EXIT.ok
  })
