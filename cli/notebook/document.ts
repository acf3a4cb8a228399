import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { KtError } from '../../graph/error.ts'

/** A value in the forms that a notebook shows: by MIME type, pictures as base64. */
export type Bundle = Readonly<Record<string, string>>

export type Output =
  | { readonly output_type: 'stream'; readonly name: 'stdout' | 'stderr'; readonly text: string }
  | { readonly output_type: 'display_data'; readonly data: Bundle; readonly metadata: object }
  | {
      readonly output_type: 'execute_result'
      readonly data: Bundle
      readonly metadata: object
      readonly execution_count: null
    }

export interface Cell {
  readonly cell_type: 'code' | 'markdown' | 'raw'
  readonly id: string
  readonly metadata: object
  readonly source: string
  readonly outputs?: readonly Output[]
}

/**
 * A Jupyter notebook.
 *
 * @see https://nbformat.readthedocs.io/en/latest/format_description.html
 */
export interface Notebook {
  readonly cells: readonly Cell[]
  readonly metadata: object
}

interface Stored {
  readonly cells: readonly (Omit<Cell, 'source'> & { readonly source: string | readonly string[] })[]
  readonly metadata: object
}

/** Read a notebook. Throws KT6501 when the file is none. */
export const readNotebook = (path: string): Notebook => {
  try {
    const { cells, metadata } = JSON.parse(readFileSync(path, 'utf8')) as Stored
    return {
      metadata,
      cells: cells.map((cell) => ({
        ...cell,
        source: typeof cell.source === 'string' ? cell.source : cell.source.join(''),
      })),
    }
  } catch (error) {
    const absent = !existsSync(path)
    const what = absent ? `there is no notebook "${path}"` : `"${path}" is not a notebook`
    throw new KtError('KT6501', what, {
      ...(absent ? {} : { why: error instanceof Error ? error.message : String(error) }),
      fix: 'Name an .ipynb file; kt notebook list shows those that there are.',
      cause: error,
    })
  }
}

/** Write a notebook so that a diff shows what changed: a line a line of source, no counts and no timings. */
export const writeNotebook = (path: string, { cells, metadata }: Notebook): void => {
  const stored = cells.map(({ cell_type, id, metadata: own, source, outputs }) => {
    const bare = { cell_type, id, metadata: own, source: linesOf(source) }
    return cell_type === 'code'
      ? { ...bare, execution_count: null, outputs: (outputs ?? []).map(storedOutput) }
      : bare
  })
  writeFileSync(
    path,
    `${JSON.stringify({ cells: stored, metadata, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`,
  )
}

const storedOutput = (output: Output): object => {
  if (output.output_type === 'stream') return { ...output, text: linesOf(output.text) }
  const data = Object.entries(output.data).map(([type, text]) => [
    type,
    type.startsWith('image/') ? text : linesOf(text),
  ])
  return { ...output, data: Object.fromEntries(data) }
}

const linesOf = (text: string): readonly string[] => text.match(/[^\n]*\n|[^\n]+/g) ?? []
