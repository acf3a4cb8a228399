// One client that counts what it hears: `node bench/socket/receiver.ts kt ws://127.0.0.1:1/trade/1000 1000 CA`
import { connect } from 'node:net'
import { WebSocket } from 'ws'
import { openWebSocket } from '../../sources/driver/websocket.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { joinHotCode } from '../../runtime/driver/engine.ts'
import { ownCpuNs } from '../measure.ts'

/** What a receiver says at its end. */
export interface Received {
  /** CPU time of the process a message, once it was warm. */
  readonly cpuNs: number
  /** Messages, their bytes, and their first and last bytes added up. */
  readonly sum: readonly [messages: number, bytes: number, ends: number]
}

joinHotCode()
const [name = 'kt', url = '', words = '0', ca = '', size = '0'] = process.argv.slice(2)
/** The first half is not timed: a shard runs for days, and compiling takes as long as 100,000 messages do. */
const warm = Math.floor(Number(words) / 2)
let [messages, length, ends, begun] = [0, 0, 0, 0]

const take = (bytes: Uint8Array, from: number, to: number): void => {
  if (messages === warm) begun = ownCpuNs()
  messages += 1
  length += to - from
  ends += bytes[from]! + bytes[to - 1]!
}

const over = (): void => {
  const cpuNs = (ownCpuNs() - begun) / (messages - warm)
  const received: Received = { cpuNs, sum: [messages, length, ends] }
  process.send?.(received, () => process.exit(0))
}

const tls = ca === '' ? {} : { ca, servername: 'venue.test' }
if (name === 'reads') {
  // Nobody looks at what is read: what is left is the work of the kernel and of Node.
  const { hostname, port, pathname } = new URL(url)
  const all = Number(words) * Number(size)
  const callback = (bytes: number): boolean => {
    if (begun === 0 && length > all / 2) begun = ownCpuNs()
    length += bytes
    return true
  }
  const socket = connect({
    host: hostname,
    port: Number(port),
    onread: { buffer: new Uint8Array(1 << 19), callback },
  })
  socket.write(`GET ${pathname} HTTP/1.1\r\n\r\n`)
  socket.on('end', () => {
    messages = Number(words)
    over()
  })
} else if (name.startsWith('ws')) {
  const socket = new WebSocket(url, {
    ...tls,
    perMessageDeflate: false,
    skipUTF8Validation: true,
  })
  socket.on('message', (bytes: Buffer) => take(bytes, 0, bytes.length))
  socket.on('close', over)
} else {
  const views = (bytes: Uint8Array, from: number, to: number): void =>
    take(new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from), 0, to - from)
  openWebSocket(
    url,
    { open: () => {}, bytes: name === 'kt views' ? views : take, ping: () => {}, close: over },
    { clock: systemClock(), tls },
  )
}
