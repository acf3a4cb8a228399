// One listener to `bench/socket/venue.ts`: `node bench/socket/listen.ts kt binance.spot all 40000 100000`.
// The CPU time of this process alone counts, in the last quarter of the messages.
import { systemClock } from '../../runtime/driver/clock.ts'
import { joinHotCode } from '../../runtime/driver/engine.ts'
import { openNet } from '../../sources/driver/net.ts'
import type { SourceName } from '../frames.ts'
import { channelsOf, ktShard, marketOf, still } from '../kt.ts'
import { ownCpuNs } from '../measure.ts'
import { naivePipeline } from '../naive.ts'
import { loadPeer } from '../peer/install.ts'
import { loadTardis, tardisMappers } from '../peer/tardis.ts'
import type { Ended, Pipeline, Reach } from '../pipeline.ts'
import { tardisPipelines } from '../tardis.ts'
import type { Heard } from '../goal/socket.ts'

joinHotCode()
const [name = 'kt', sourceName = 'binance.spot', reachName = 'all', port = '0', count = '100000'] =
  process.argv.slice(2)
const [source, reach] = [sourceName as SourceName, reachName as Reach]
const [wanted, address] = [Number(count), `127.0.0.1:${port}`]
const warm = Math.floor((wanted * 3) / 4)

let [heard, beganNs] = [0, 0]

/** A message was taken. The last one ends the process. */
const taken = (end: () => Ended): void => {
  heard += 1
  if (heard === warm) beganNs = ownCpuNs()
  if (heard !== wanted) return
  const cpuNs = (ownCpuNs() - beganNs) / (wanted - warm)
  const message: Heard = { cpuNs, ended: end() }
  process.send?.(message, () => process.exit(0))
}

const kt = (): void => {
  const { host, tick, end } = ktShard(source, reach)
  const clock = systemClock()
  marketOf(source).open(
    {
      ...still,
      ...host,
      clock,
      net: openNet({ clock }),
      frame: (frame) => {
        host.frame(frame)
        tick()
        // A book's beginning comes over REST, which is connection 0.
        if (frame.connection > 0) taken(end)
      },
    },
    {
      channels: channelsOf(reach),
      universe: { pairs: ['BTC-USDT'] },
      endpoint: { socket: `ws://${address}`, rest: `http://${address}` },
      owns: () => true,
    },
  )
}

interface WebSocketPeer {
  on(event: 'open', call: () => void): void
  on(event: 'message', call: (bytes: Buffer) => void): void
  send(text: string): void
}

/** The usual client, told not to check UTF-8, in front of a pipeline. */
const throughWs = async (pipeline: Pipeline): Promise<void> => {
  const { WebSocket } = (await loadPeer('ws')) as {
    readonly WebSocket: new (url: string, options: object) => WebSocketPeer
  }
  const asked = await fetch(`http://${address}/api/v3/depth`)
  const seed = Buffer.from(await asked.arrayBuffer())
  const common = { received: Date.now() * 1000, symbol: 'BTCUSDT' }
  if (seed.length > 2) pipeline.take({ ...common, bytes: seed, channel: 'seed' })
  const socket = new WebSocket(`ws://${address}/stream`, {
    perMessageDeflate: false,
    skipUTF8Validation: true,
  })
  socket.on('open', () => socket.send('{"method":"SUBSCRIBE","params":[],"id":1}'))
  socket.on('message', (bytes) => {
    // {"stream":"btcusdt@trade" or "btcusdt@depth@100ms", and the answer to the request.
    const letter = bytes[19]
    if (letter !== 116 && letter !== 100) return
    const channel = letter === 116 ? 'trade' : 'book'
    pipeline.take({ bytes, received: Date.now() * 1000, channel, symbol: 'BTCUSDT' })
    taken(pipeline.end)
  })
}

/** tardis-dev's own client, as its users call it. */
const live = async (): Promise<void> => {
  const exchange = source === 'binance.spot' ? 'binance' : 'bybit'
  process.env[`WSS_URL_${exchange.toUpperCase()}`] = `ws://${address}/stream`
  const { streamNormalized, normalizeTrades } = await loadTardis()
  const mappers = await tardisMappers(source)
  const normalizer = reach === 'trade' ? normalizeTrades : () => mappers(['book'])[0]!
  let [trades, deltas] = [0, 0]
  const end = (): Ended => ({ trades, deltas, bytes: 0, bid: Number.NaN, ask: Number.NaN })
  const stream = streamNormalized(
    { exchange, symbols: [exchange === 'bybit' ? 'BTCUSDT' : 'btcusdt'] },
    normalizer,
  )
  for await (const { type } of stream) {
    if (type === 'trade') trades++
    else if (type === 'book_change') deltas++
    else continue
    taken(end)
  }
}

if (name === 'kt') kt()
else if (name === 'naive') await throughWs(naivePipeline())
else if (name === 'tardis-dev') await throughWs((await tardisPipelines(source))(reach))
else await live()
