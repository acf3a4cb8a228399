/** What names itself within a note, or is said in words of its own. */
const OWN: ReadonlySet<string> = new Set(['source', 'why', 'reason', 'fix', 'retryAfterMs', 'path'])

/** What a source notes beside its data, as a line for people; a second one says what can be done. */
export const noteText = (what: string, facts: Readonly<Record<string, unknown>>): string => {
  const { source, reason, why = reason === '' ? undefined : reason, fix, retryAfterMs, path } = facts
  const rest = Object.entries(facts)
    // Status 0: nothing answered, which the reason says.
    .filter(([name, value]) => !OWN.has(name) && value !== undefined && !(name === 'status' && value === 0))
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
  const about = [...(path === undefined ? [] : [String(path)]), ...rest]
  return [
    source === undefined ? '! ' : `! ${String(source)}: `,
    what,
    why === undefined ? '' : `: ${String(why)}`,
    about.length === 0 ? '' : ` (${about.join(', ')})`,
    typeof retryAfterMs === 'number' ? `, again in ${(retryAfterMs / 1000).toFixed(1)} s` : '',
    fix === undefined ? '' : `\n    fix  ${String(fix)}`,
  ].join('')
}
