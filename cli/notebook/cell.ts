import { SourceMap } from 'node:module'
import { parse } from 'acorn'
import type { AnyNode, Identifier, ImportDeclaration, Literal, Pattern, Program } from 'acorn'
import { transform } from 'esbuild'

/**
 * A cell as JavaScript: the body of a function of `__scope` and `__import` that returns a promise of the
 * cell's value.
 */
export interface CompiledCell {
  readonly body: string
  /** The names that it declares; they stay in the scope for the cells that follow. */
  readonly names: readonly string[]
  /** The line of the cell of a place in the body, both from 1; undefined where there is none. */
  readonly lineOf: (line: number, column: number) => number | undefined
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/**
 * Compile one TypeScript cell. What it declares at its top becomes a name of the notebook, so that a later
 * cell may use it, or declare it anew; the value of its last expression is the value of the cell. No edit
 * adds or takes a line, so that an error is found where it was written. Throws esbuild's error when the text
 * is no TypeScript.
 */
export const compileCell = async (source: string, name: string): Promise<CompiledCell> => {
  const { code, map } = await transform(source, {
    loader: 'ts',
    target: 'esnext',
    sourcemap: 'external',
    sourcefile: name,
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  })
  const program = parse(code, {
    ecmaVersion: 'latest',
    sourceType: 'module',
    allowAwaitOutsideFunction: true,
  })
  const names: string[] = []
  const hoisted: string[] = []
  const edits = program.body.flatMap((node) =>
    editsOf(node, node === program.body.at(-1), code, names, hoisted),
  )
  const first = `with (__scope) { return (async () => { ${hoisted.join(' ')}\n`
  const places = new SourceMap(JSON.parse(map) as ConstructorParameters<typeof SourceMap>[0])
  return {
    body: `${first}${edited(code, edits)}\n})() }`,
    names,
    lineOf: (line, column) => {
      const entry = places.findEntry(line - 2, column - 1) as { readonly originalLine?: number }
      return entry.originalLine === undefined ? undefined : entry.originalLine + 1
    },
  }
}

const edited = (code: string, edits: readonly Edit[]): string =>
  [...edits]
    .sort((a, b) => b.start - a.start)
    .reduce((text, edit) => text.slice(0, edit.start) + edit.text + text.slice(edit.end), code)

const editsOf = (
  node: Program['body'][number],
  last: boolean,
  code: string,
  names: string[],
  hoisted: string[],
): readonly Edit[] => {
  switch (node.type) {
    case 'ImportDeclaration':
      return [importEdit(node, code, names)]
    case 'VariableDeclaration': {
      const [head] = node.declarations
      const keyword = { start: node.start, end: head!.start, text: ';' }
      const assigned = node.declarations.flatMap(({ id, init, start, end }): readonly Edit[] => {
        names.push(...namesOf(id))
        return [
          { start, end: start, text: '(' },
          { start: end, end, text: init === null || init === undefined ? ' = undefined)' : ')' },
        ]
      })
      return [keyword, ...assigned]
    }
    case 'FunctionDeclaration':
      names.push(node.id.name)
      hoisted.push(`__scope.${node.id.name} = ${node.id.name};`)
      return []
    case 'ClassDeclaration':
      names.push(node.id.name)
      return [
        { start: node.start, end: node.start, text: `;${node.id.name} = ` },
        { start: node.end, end: node.end, text: ';' },
      ]
    case 'ExpressionStatement':
      if (!last) return []
      return [
        { start: node.start, end: node.expression.start, text: 'return (' },
        { start: node.expression.end, end: node.end, text: ')' },
      ]
    default:
      return []
  }
}

/** An import is a dynamic one whose parts are assigned, on as many lines as it had. */
const importEdit = (node: ImportDeclaration, code: string, names: string[]): Edit => {
  const parts: string[] = []
  let whole = ''
  for (const one of node.specifiers) {
    names.push(one.local.name)
    if (one.type === 'ImportNamespaceSpecifier') whole = one.local.name
    else if (one.type === 'ImportDefaultSpecifier') parts.push(`default: ${one.local.name}`)
    else parts.push(`${JSON.stringify(nameOf(one.imported))}: ${one.local.name}`)
  }
  const loaded = `await __import(${JSON.stringify(node.source.value)})`
  const text = whole === '' ? `;({ ${parts.join(', ')} } = ${loaded});` : `;(${whole} = ${loaded});`
  return {
    start: node.start,
    end: node.end,
    text: text + '\n'.repeat(code.slice(node.start, node.end).split('\n').length - 1),
  }
}

const nameOf = (imported: Identifier | Literal): string =>
  imported.type === 'Identifier' ? imported.name : String(imported.value)

/** The names that a pattern binds. */
const namesOf = (pattern: Pattern | AnyNode): readonly string[] => {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name]
    case 'ObjectPattern':
      return pattern.properties.flatMap((one) => namesOf(one.type === 'Property' ? one.value : one))
    case 'ArrayPattern':
      return pattern.elements.flatMap((one) => (one === null ? [] : namesOf(one)))
    case 'AssignmentPattern':
      return namesOf(pattern.left)
    case 'RestElement':
      return namesOf(pattern.argument)
    default:
      return []
  }
}
