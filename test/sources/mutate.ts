import { randomOf } from '../random.ts'

/** Choices from a seed: the same seed makes the same ones everywhere. */
export class Dice {
  readonly below: (n: number) => number

  constructor(seed: number) {
    this.below = randomOf(seed)
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  of<T>(all: readonly T[]): T {
    return all[this.below(all.length)] as T
  }
}

/** JSON as it is written: what is done to it need not stay JSON. */
type Raw =
  | { kind: 'object'; members: [key: string, value: Raw][] }
  | { kind: 'list'; members: Raw[] }
  | { kind: 'plain'; text: string }

const plain = (text: string): Raw => ({ kind: 'plain', text })

/** Of valid JSON without blanks; texts stay as they are written. */
const parse = (text: string): Raw => {
  let at = 0
  const skipText = (): string => {
    const from = at++
    for (; text[at] !== '"'; at++) if (text[at] === '\\') at++
    return text.slice(from, ++at)
  }
  const value = (): Raw => {
    const first = text[at]
    if (first === '"') return plain(skipText())
    if (first === '{') {
      const members: [string, Raw][] = []
      for (at++; text[at] !== '}';) {
        if (text[at] === ',') at++
        const key = skipText()
        at++
        members.push([key, value()])
      }
      at++
      return { kind: 'object', members }
    }
    if (first === '[') {
      const members: Raw[] = []
      for (at++; text[at] !== ']';) {
        if (text[at] === ',') at++
        members.push(value())
      }
      at++
      return { kind: 'list', members }
    }
    const from = at
    while (at < text.length && !',]}'.includes(text[at]!)) at++
    return plain(text.slice(from, at))
  }
  return value()
}

const write = (raw: Raw): string => {
  if (raw.kind === 'plain') return raw.text
  if (raw.kind === 'list') return `[${raw.members.map(write).join()}]`
  return `{${raw.members.map(([key, value]) => `${key}:${write(value)}`).join()}}`
}

const copy = (raw: Raw): Raw => {
  if (raw.kind === 'plain') return { ...raw }
  if (raw.kind === 'list') return { kind: 'list', members: raw.members.map(copy) }
  return { kind: 'object', members: raw.members.map(([key, value]) => [key, copy(value)]) }
}

/** All values in a tree, each with a way to put another in its place. */
const places = (root: Raw): { readonly value: Raw; readonly put: (value: Raw) => void }[] => {
  const found: { readonly value: Raw; readonly put: (value: Raw) => void }[] = []
  const walk = (raw: Raw): void => {
    if (raw.kind === 'plain') return
    raw.members.forEach((member, i) => {
      const value = raw.kind === 'list' ? (member as Raw) : (member as [string, Raw])[1]
      const put = (other: Raw): void => {
        if (raw.kind === 'list') raw.members[i] = other
        else raw.members[i]![1] = other
      }
      found.push({ value, put })
      walk(value)
    })
  }
  walk(root)
  return found
}

const digits = (dice: Dice, n: number): string => {
  let text = ''
  for (let i = 0; i < n; i++) text += dice.below(10)
  return text
}

const ODD = [
  '', '0', '-0', '00', '1.', '.5', '-', '+', '+1', 'NaN', 'Infinity', '-Infinity', '1e5', '1E-7', '1e400', '-1e-400', '0e0', '0.0', '-0.0', '0x1F', '0b1', '1_000', '1,5', ' 1', '1 ', 'null',
  '9007199254740991', '9007199254740992', '9007199254740993', '2147483648', '-2147483648', '999999999999999', '1000000000000000', '0.1', '0.30000000000000004', '5e-324',
  '0.000000000000000000000000000001', '100000000000000000000000', '123456789012345.6789', '179769313486231570000', '--1', '1..2', '1.2.3', '1e', '1e+', '٣', 'true', '/', ':', '1:', '1/',
]

/** A number as venues write them, or as nobody should. */
export const numberText = (dice: Dice): string => {
  if (dice.chance(20)) return dice.of(ODD)
  const whole = digits(dice, 1 + (dice.chance(80) ? dice.below(9) : dice.below(40)))
  const sign = dice.chance(10) ? '-' : dice.chance(2) ? '+' : ''
  const zeros = dice.chance(5) ? '0'.repeat(1 + dice.below(20)) : ''
  const part = dice.chance(60) ? `.${digits(dice, 1 + (dice.chance(85) ? dice.below(8) : dice.below(26)))}` : ''
  const exponent = dice.chance(4) ? `${dice.of(['e', 'E'])}${dice.of(['', '+', '-'])}${dice.below(400)}` : ''
  return `${sign}${dice.chance(70) ? String(Number(whole.slice(0, 15))) : whole}${part}${exponent}`.replace(/^/, zeros)
}

const quoted = (text: string): boolean => text.startsWith('"')
const bare = (text: string): string => (quoted(text) ? text.slice(1, -1) : text)

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'XRPUSDT', 'BTCUSD_PERP', 'BTCUSDTX', 'BTCUSD', 'BTCUSDC', '', 'btcusdt', 'BTC\\u0055SDT', '\xc3\xa9']
const KEYS = ['s', 'p', 'q', 'data', 'x', '', 'T', 'symbol', '__proto__', 'constructor', 'toString', 'a b', 'a:t,b', 'e', 'u', '0', '\\u0073', 'd\\u0061ta', '\xc3\xbc', 'length']
const VALUES = ['null', 'true', 'false', '0', '1', '""', '"x"', '[]', '{}', '[[]]', '[{}]', '[null]', '["1","2"]', '[["1","2"]]', '{"s":"BTCUSDT"}', '"BTCUSDT"', '"\\n"', '"\\ud83d"', '"\xf0\x9f\xa6\x8a"', '"MARKET"', '"Buy"', '"snapshot"', '1e2']

type Change = (dice: Dice, root: Raw) => Raw

const onObject = (change: (dice: Dice, members: [string, Raw][]) => void): Change => (dice, root) => {
  const objects = [{ value: root }, ...places(root)].flatMap(({ value }) => (value.kind === 'object' ? [value.members] : []))
  if (objects.length > 0) change(dice, dice.of(objects))
  return root
}

const onList = (change: (dice: Dice, members: Raw[]) => void): Change => (dice, root) => {
  const lists = [{ value: root }, ...places(root)].flatMap(({ value }) => (value.kind === 'list' ? [value.members] : []))
  if (lists.length > 0) change(dice, dice.of(lists))
  return root
}

const onPlain = (change: (dice: Dice, text: string) => string): Change => (dice, root) => {
  const all = places(root).filter(({ value }) => value.kind === 'plain')
  if (all.length === 0) return root
  const { value, put } = dice.of(all)
  put(plain(change(dice, (value as { text: string }).text)))
  return root
}

const escaped = (dice: Dice, text: string): string => {
  if (text.length < 3 || !quoted(text)) return text
  const at = 1 + dice.below(text.length - 2)
  return `${text.slice(0, at)}\\u00${text.charCodeAt(at).toString(16).padStart(2, '0')}${text.slice(at + 1)}`
}

const swap = <T>(all: T[], one: number, other: number): void => {
  if (all.length === 0) return
  const kept = all[one]!
  all[one] = all[other]!
  all[other] = kept
}

/** What is done to the parts of a message. */
const CHANGES: readonly Change[] = [
  onPlain((dice, text) => (quoted(text) ? `"${numberText(dice)}"` : numberText(dice))),
  onPlain((dice, text) => (quoted(text) ? `"${numberText(dice)}"` : numberText(dice))),
  onPlain((_, text) => (quoted(text) ? bare(text) : `"${text}"`)),
  onPlain((dice) => dice.of(VALUES)),
  onPlain(() => '""'),
  onPlain((dice, text) => escaped(dice, text)),
  onPlain((dice, text) => (quoted(text) ? `"${bare(text)}${dice.of(['\xc3\xa9', '\x80', '\x7f', '\x00', '\\"', '\\\\', ' ', '\t'])}"` : text)),
  onPlain((dice, text) => (/[A-Z]{3}/.test(text) ? `"${dice.of(SYMBOLS)}"` : text)),
  onPlain((dice, text) => (text === 'true' ? 'false' : text === 'false' ? 'true' : dice.of(['true', 'false', text]))),
  onObject((dice, members) => swap(members, dice.below(Math.max(1, members.length)), dice.below(Math.max(1, members.length)))),
  onObject((dice, members) => members.splice(dice.below(members.length + 1), 0, [`"${dice.of(KEYS)}"`, parse(dice.of(VALUES))])),
  onObject((dice, members) => members.splice(dice.below(Math.max(1, members.length)), 1)),
  onObject((dice, members) => {
    if (members.length === 0) return
    const [key, value] = dice.of(members)
    members.splice(dice.below(members.length + 1), 0, [key, dice.chance(50) ? copy(value) : parse(dice.of(VALUES))])
  }),
  onObject((dice, members) => {
    if (members.length > 0) members[dice.below(members.length)]![0] = `"${dice.of(KEYS)}"`
  }),
  onObject((dice, members) => {
    const member = members[dice.below(Math.max(1, members.length))]
    if (member !== undefined) member[0] = escaped(dice, member[0])
  }),
  (dice, root) => {
    // The same names again, one floor deeper.
    const all = places(root)
    if (all.length === 0) return root
    const { value, put } = dice.of(all)
    const kept = copy(value)
    put(dice.of<Raw>([
      { kind: 'object', members: [['"data"', copy(root)]] }, { kind: 'object', members: [['"s"', kept]] }, { kind: 'object', members: [] },
      { kind: 'list', members: [kept] }, { kind: 'list', members: [kept, kept] }, { kind: 'list', members: [] },
    ]))
    return root
  },
  (dice, root) => {
    const all = places(root)
    if (all.length < 2) return root
    const [one, other] = [dice.of(all), dice.of(all)]
    const kept = copy(one.value)
    one.put(copy(other.value))
    other.put(kept)
    return root
  },
  onList((_, members) => void (members.length = 0)),
  onList((_, members) => void (members.length = Math.min(1, members.length))),
  onList((dice, members) => {
    const times = dice.chance(3) ? 2_000 : 1 + dice.below(20)
    const one = members[0]
    // Many of many is more memory than there is.
    const most = one === undefined ? 0 : Math.min(times, Math.ceil(300_000 / write(one).length))
    for (let i = 0; i < most; i++) members.push(copy(one!))
  }),
  onList((dice, members) => void members.push(parse(dice.of(VALUES)))),
  onList((dice, members) => void members.splice(dice.below(Math.max(1, members.length)), 1)),
]

/** A text with one of its bytes or digits changed. */
const bytewise = (dice: Dice, text: string): string => {
  const at = dice.below(text.length + 1)
  const [before, after] = [text.slice(0, at), text.slice(at)]
  switch (dice.below(10)) {
    case 0: return before
    case 1: return before + String.fromCharCode(dice.below(256)) + after.slice(1)
    case 2: return before + String.fromCharCode(dice.below(256)) + after
    case 3: return before + after.slice(1)
    case 4: return before + dice.of([' ', '\n', '\t', '\r', '\x00', ',', ':', '"', '[', ']', '{', '}', '\xef\xbb\xbf', '0', '-', 'e', '.']) + after
    case 5: return text + dice.of([' ', '\n', 'x', '\x00', '0', '}', ',', text])
    case 6: return text.replace(/[,:]/g, (mark) => (dice.chance(10) ? `${mark} ` : mark))
    default: return text
  }
}

/** Other digits in the places of some: the shape stays, and most often the message stays right. */
export const digitwise = (dice: Dice, text: string): string => {
  let made = text
  for (let i = 1 + dice.below(6); i > 0 && made.length > 0; i--) {
    let at = dice.below(made.length)
    for (let tries = 0; tries < 40 && !digit(made, at); tries++) at = (at + 1) % made.length
    if (!digit(made, at)) continue
    const other = dice.chance(6) ? dice.of(['', '.', '-', 'e', '00', '0.0', '9999999', ':', '/']) : String(dice.below(10)) + (dice.chance(4) ? digits(dice, dice.below(12)) : '')
    made = made.slice(0, at) + other + made.slice(at + 1)
  }
  return made
}

const digit = (text: string, at: number): boolean => text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x39

/** A message as it should not be, or hardly. */
export const mutated = (dice: Dice, text: string): string => {
  if (dice.chance(35)) return digitwise(dice, text)
  if (dice.chance(25)) return bytewise(dice, text)
  let root = parse(text)
  for (let i = dice.of([1, 1, 1, 2, 3]); i > 0; i--) root = dice.of(CHANGES)(dice, root)
  const made = write(root)
  return dice.chance(10) ? bytewise(dice, made) : made
}
