/** Text that is no markup. */
export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/**
 * The Markdown that notebooks are written in, as HTML: headings, paragraphs, lists, fenced code, quotes;
 * within a line code, strong, emphasis and links. What is not known stays text, and HTML is never passed on.
 */
export const markdown = (source: string): string => {
  const blocks: string[] = []
  const lines = source.split('\n')
  for (let at = 0; at < lines.length;) {
    const line = lines[at]!
    if (line.trim() === '') at++
    else if (line.startsWith('```')) {
      const end = endOf(lines, at + 1, (one) => one.startsWith('```'))
      blocks.push(`<pre>${escaped(lines.slice(at + 1, end).join('\n'))}</pre>`)
      at = end + 1
    } else {
      const end = line.startsWith('#')
        ? at + 1
        : endOf(lines, at + 1, (one) => one.trim() === '' || begins(one))
      blocks.push(block(lines.slice(at, end)))
      at = end
    }
  }
  return blocks
    .join('\n')
    .replaceAll(/<\/(ul|ol)>\n<\1>/g, '')
    .replaceAll('</blockquote>\n<blockquote>', '\n')
}

const endOf = (lines: readonly string[], from: number, ends: (line: string) => boolean): number => {
  const found = lines.findIndex((line, at) => at >= from && ends(line))
  return found < 0 ? lines.length : found
}

/** Lines that begin a block of their own wherever they stand. */
const begins = (line: string): boolean => /^(#{1,6} |```|[-*] |\d+\. |> )/.test(line)

const block = (lines: readonly string[]): string => {
  const text = lines.join('\n')
  const heading = /^(#{1,6}) (.*)$/.exec(lines[0]!)
  if (heading !== null) return `<h${heading[1]!.length}>${inline(heading[2]!)}</h${heading[1]!.length}>`
  const list = /^([-*]|\d+\.) /.exec(text)
  if (list !== null) {
    const kind = /\d/.test(list[1]!) ? 'ol' : 'ul'
    return `<${kind}><li>${inline(text.slice(list[0].length))}</li></${kind}>`
  }
  if (text.startsWith('> ')) return `<blockquote>${inline(text.replaceAll(/^> ?/gm, ''))}</blockquote>`
  return `<p>${inline(text)}</p>`
}

/** Code first, so that nothing within it is taken for markup. */
const inline = (text: string): string =>
  text
    .split(/(`[^`]+`)/)
    .map((part, at) =>
      at % 2 === 1
        ? `<code>${escaped(part.slice(1, -1))}</code>`
        : escaped(part)
            .replaceAll(
              /\[([^\]]+)\]\(((?:https?:\/\/|\.{0,2}\/|#|[\w-]+[./])[^)\s]*)\)/g,
              '<a href="$2">$1</a>',
            )
            .replaceAll(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
            .replaceAll(/\*([^*]+)\*/g, '<em>$1</em>'),
    )
    .join('')
