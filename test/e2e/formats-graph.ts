import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Format } from '../../graph/topic.ts'

const root = resolve(import.meta.dirname, '../..')

/** A graph file of the project with other formats for its topics, written to a folder. */
export const graphInFormats = (
  folder: string,
  file: string,
  formats: Readonly<Record<string, Format>>,
): string => {
  let text = readFileSync(join(root, 'graph', file), 'utf8')
    .replaceAll("from '../", `from '${root}/`)
    .replace("from './index.ts'", `from '${root}/graph/index.ts'`)
  for (const [topic, format] of Object.entries(formats)) {
    const begin = `topic('${topic}', { `
    if (!text.includes(begin)) throw new Error(`graph/${file} has no topic "${topic}"`)
    text = text.replace(begin, `${begin}format: '${format}', `)
  }
  const path = join(folder, file)
  writeFileSync(path, text)
  return path
}
