import { bybitChannel, bybitTopic } from './bybit-channels.ts'
import type { Connection } from './connection.ts'
import type { VenueName } from './universe.ts'
import type { World } from './world.ts'

/** Topics in one request on spot; the other categories have no stated limit. */
const spotArguments = 10
/** Letters of all topics of one connection. */
const argumentLetters = 21_000

interface Request {
  readonly op: string
  readonly requestId: string | undefined
  readonly topics: readonly string[]
}

/** Reads `/v5/public/linear`; undefined for a path that the category does not serve. */
export function bybitPath(
  path: string, venue: VenueName,
): { readonly route: string; readonly combined: boolean; readonly names: readonly string[] } | undefined {
  const category = venue.slice(venue.indexOf('.') + 1)
  return path.split('?')[0] === `/v5/public/${category}`
    ? { route: 'public', combined: false, names: [] } : undefined
}

/** Answers one message of a Bybit client. */
export function bybitRequest(connection: Connection, text: string, world: World): void {
  const now = world.nowMs
  const request = parse(text)
  if (request === undefined) return answer(connection, false, 'Invalid JSON', '', undefined, now)
  const { op, requestId, topics } = request
  switch (op) {
    case 'ping': return answer(connection, true, 'pong', op, requestId, now)
    case 'subscribe': return subscribe(connection, request, world)
    case 'unsubscribe':
      for (const topic of topics) world.detach(connection, topic)
      return answer(connection, true, done(connection, op), op, requestId, now)
    default: return answer(connection, false, `Unknown op: ${op}`, op, requestId, now)
  }
}

function subscribe(connection: Connection, { op, requestId, topics }: Request, world: World): void {
  const now = world.nowMs
  const refuse = (why: string): void => answer(connection, false, why, op, requestId, now)
  if (connection.venue === 'bybit.spot' && topics.length > spotArguments) return refuse('args size >10')
  const letters = [...connection.channels.keys(), ...topics].reduce((sum, topic) => sum + topic.length, 0)
  if (letters > argumentLetters) return refuse('args too long')
  const exists = (topic: string): boolean =>
    world.market(connection.venue, bybitTopic(topic)?.symbol ?? '') !== undefined
  const unknown = topics.find((topic) => !exists(topic))
  if (unknown !== undefined) return refuse(`error:handler not found,topic:${unknown}`)
  const acknowledge = (): void => answer(connection, true, done(connection, op), op, requestId, now)
  const early = world.random.chance(0.2)
  if (!early) acknowledge()
  for (const topic of topics) {
    const parts = bybitTopic(topic)
    const market = parts === undefined ? undefined : world.market(connection.venue, parts.symbol)
    if (parts === undefined || market === undefined) continue
    world.attach(connection, topic, market, () => bybitChannel(market, topic, parts, now))
    const first = connection.channels.get(topic)?.greet?.(now)
    if (first !== undefined) world.send(connection, first)
  }
  if (early) acknowledge()
}

/** Spot repeats the operation when it succeeded, linear says nothing. */
function done(connection: Connection, op: string): string {
  return connection.venue === 'bybit.spot' ? op : ''
}

/** The order of keys and the empty `req_id` are those of the category. */
function answer(
  connection: Connection, success: boolean, message: string, op: string, requestId: string | undefined,
  now: number,
): void {
  const spot = connection.venue === 'bybit.spot'
  const id = requestId === undefined ? (spot ? '' : '"req_id":"",') : `"req_id":${JSON.stringify(requestId)},`
  const text = JSON.stringify(message)
  const head = `{"success":${success},"ret_msg":${text},"conn_id":"sim-${connection.id}"`
  connection.reply(`${head},${id}"op":${JSON.stringify(op)}}`, now)
}

function parse(text: string): Request | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    const { op, req_id: id, args } = value as Record<string, unknown>
    const all: readonly unknown[] = Array.isArray(args) ? args : []
    const topics = all.filter((topic) => typeof topic === 'string')
    return { op: String(op), requestId: typeof id === 'string' ? id : undefined, topics }
  } catch {
    return undefined
  }
}
