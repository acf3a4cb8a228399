import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import jsonata from 'jsonata'
import { GraphError } from '../../graph/error.ts'
import type { Mapping } from '../../graph/source.ts'
import { partsOf } from '../mapping/tree.ts'

const loaded = new Map<string, Mapping>()

/** Load a mapping file of `sources/`: `binance/spot.jsonata`. */
export const loadMapping = (file: string): Mapping => {
  const known = loaded.get(file)
  if (known !== undefined) return known
  const mapping = parseMapping(
    file,
    readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), 'utf8'),
  )
  loaded.set(file, mapping)
  return mapping
}

/**
 * Parse the text of a mapping. The interpreter behind `evaluate` is the reference for the compiled functions.
 */
export const parseMapping = (file: string, text: string): Mapping => {
  const tree: unknown = parsed(file, text).ast()
  const names = [...partsOf(file, tree).keys()]
  const texts = split(text)
  if (names.length !== texts.length) {
    const found = `mapping "${file}" has ${names.length} parts, and ${texts.length} were found`
    throw new GraphError('KT2001', found, {
      where: file,
      fix: 'Let the file be one object, with nothing around it.',
    })
  }
  const parts = new Map(names.map((name, i) => [name, parsed(file, texts[i] ?? '')]))
  const evaluate: Mapping['evaluate'] = async (part, message, bindings) =>
    (await parts.get(part)?.evaluate(message, { ...bindings })) as unknown
  return Object.freeze({ file, text, tree, evaluate })
}

const parsed = (file: string, text: string): jsonata.Expression => {
  try {
    return jsonata(text)
  } catch (cause) {
    const { message, position } = cause as { readonly message?: string; readonly position?: number }
    throw new GraphError('KT2003', `mapping "${file}" is not JSONata: ${message ?? String(cause)}`, {
      where: `${file}, line ${text.slice(0, position ?? 0).split('\n').length}`,
      cause,
      fix: 'See https://docs.jsonata.org for the language.',
    })
  }
}

/**
 * The texts of the values of the outermost object: what stands between a name's colon and the comma at the
 * same depth.
 */
const split = (text: string): readonly string[] => {
  const texts: string[] = []
  let [depth, from, named] = [0, -1, false]
  for (const token of text.matchAll(
    /\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|[{}()[\],:]/g,
  )) {
    const mark = token[0]
    if ('{(['.includes(mark)) depth += 1
    else if (mark === ':' && depth === 1 && !named) [from, named] = [token.index + 1, true]
    else if (mark === ',' && depth === 1) {
      texts.push(text.slice(from, token.index))
      named = false
    } else if ('})]'.includes(mark)) {
      depth -= 1
      if (depth === 0 && named) texts.push(text.slice(from, token.index))
    }
  }
  return texts
}
