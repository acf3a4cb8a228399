/** What can go wrong with one frame: probabilities per frame and connection. */
const frameFaults = ['drop', 'duplicate', 'reorder', 'gap', 'wrongId', 'malformed'] as const
/** What can go wrong with a connection: probabilities per second and connection. */
const connectionFaults = ['silence', 'mute', 'close', 'reset', 'slow'] as const
/** What can happen to the venue: probabilities per second. */
const venueFaults = ['list', 'delist'] as const
/** What can go wrong with a REST call: probabilities per call. */
const restFaults = ['rest418', 'rest429', 'rest451', 'rest500', 'restTimeout', 'restStale'] as const

const kinds = [...frameFaults, ...connectionFaults, ...venueFaults, ...restFaults] as const

/** A kind of fault. */
export type FaultKind = (typeof kinds)[number]

/**
 * How probable each fault is, in [0, 1].
 *
 * Per frame and connection: `drop` (lost), `duplicate` (sent twice), `reorder` (sent after the next one of
 * its channel), `gap` (the first of 2 to 8 frames of its channel that are lost), `wrongId` (an id
 * replaced), `malformed` (cut off, or a field of a wrong type). Per second and connection: `silence` (one
 * symbol stops for 5 to 20 s), `mute` (everything stops, pings too, but the socket stays open), `close`
 * (clean close), `reset` (TCP reset), `slow` (frames come 0.2 to 3 s late). Per second: `list`, `delist`.
 * Per REST call: the status, no answer, or an old book.
 */
export type Faults = Readonly<Record<FaultKind, number>>

const none = Object.freeze(Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<FaultKind, number>)

const presets: Readonly<Record<string, Faults>> = {
  none,
  calm: {
    ...none, drop: 0.000005, duplicate: 0.00001, reorder: 0.00001, gap: 0.000002, silence: 0.0005,
    close: 0.0005, reset: 0.0002, slow: 0.002, rest429: 0.002, rest500: 0.005, restStale: 0.05, list: 0.002,
  },
  cruel: {
    drop: 0.0005, duplicate: 0.001, reorder: 0.001, gap: 0.0002, wrongId: 0.00005, malformed: 0.00005,
    silence: 0.02, mute: 0.003, close: 0.005, reset: 0.005, slow: 0.02, list: 0.02, delist: 0.01,
    rest418: 0.002, rest429: 0.03, rest451: 0.002, rest500: 0.05, restTimeout: 0.02, restStale: 0.2,
  },
}

/**
 * Reads faults from text: a preset (`none`, `calm`, `cruel`), single settings (`drop=0.01`), or both,
 * separated by commas; later words win. Throws a `RangeError` that names what it does not know.
 */
export function parseFaults(text: string): Faults {
  let faults: Record<FaultKind, number> = { ...none }
  for (const word of text.split(',').map((part) => part.trim()).filter((part) => part !== '')) {
    const [name = '', value] = word.split('=')
    const preset = presets[name]
    if (value === undefined && preset !== undefined) {
      faults = { ...preset }
      continue
    }
    const kind = kinds.find((known) => known === name)
    if (kind === undefined) {
      const known = [...Object.keys(presets), ...kinds].join(', ')
      throw new RangeError(`no fault is called "${name}"; there are ${known}`)
    }
    const probability = Number(value)
    if (value === undefined || value === '' || !(probability >= 0 && probability <= 1)) {
      throw new RangeError(`fault "${name}" needs a probability from 0 to 1, e.g. ${name}=0.01`)
    }
    faults[kind] = probability
  }
  return Object.freeze(faults)
}
