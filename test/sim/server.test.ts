import { once } from 'node:events'
import { mkdtempSync, rmSync, appendFileSync, statSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { type RunningSim, type SimOptions, startSim } from '../../sources/driver/sim-server.ts'
import { openTruth, readTruth, truthSummary } from '../../sources/driver/sim-truth.ts'
import { parseFaults } from '../../sources/sim/fault.ts'

async function sim(options: Partial<SimOptions> = {}): Promise<RunningSim> {
  const running = await startSim({ seed: 7, pairs: 3, rate: 600, depth: 100, ...options })
  onTestFinished(() => running.stop())
  return running
}

/** Opens a socket and gathers its messages. */
async function client(
  url: string,
): Promise<{ socket: WebSocket; texts: string[]; until: (count: number) => Promise<void> }> {
  const socket = new WebSocket(url)
  const texts: string[] = []
  socket.on('message', (message) => texts.push(String(message)))
  socket.on('error', () => {})
  onTestFinished(() => socket.terminate())
  await once(socket, 'open')
  const until = async (n: number): Promise<void> => {
    while (texts.length < n) await once(socket, 'message')
  }
  return { socket, texts, until }
}

/** The CPU time of each turn of the event loop, milliseconds. */
async function turns(count: number): Promise<readonly number[]> {
  const all: number[] = []
  for (let cpu = process.threadCpuUsage(); all.length < count;) {
    await new Promise((resolve) => setImmediate(resolve))
    const { user, system } = process.threadCpuUsage(cpu)
    cpu = process.threadCpuUsage()
    all.push((user + system) / 1000)
  }
  return all
}

describe('sockets', () => {
  test('an exchange that was held up makes up for it a little at a time, and answers meanwhile', async () => {
    const { endpoints } = await sim({ pairs: 60, rate: 50_000 })
    const { socket, until, texts } = await client(`${endpoints['binance.usdm'].socket}/stream`)
    const params = ['btcusdt@trade', 'btcusdt@depth@100ms']
    socket.send(JSON.stringify({ method: 'SUBSCRIBE', params, id: 1 }))
    await until(20)
    // A machine that is too busy gives the process no time for so long.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000)
    const heard = texts.length
    const busy = await turns(100)
    expect(Math.max(...busy)).toBeLessThan(120)
    await until(heard + 20)
  })

  test('a spot client subscribes, lists and unsubscribes', async () => {
    const { endpoints } = await sim()
    const { socket, texts, until } = await client(`${endpoints['binance.spot'].socket}/stream`)
    const params = ['btcusdt@trade', 'btcusdt@depth@100ms', 'nosuch@trade']
    socket.send(JSON.stringify({ method: 'SUBSCRIBE', params, id: 1 }))
    await until(20)
    expect(texts[0]).toBe('{"result":null,"id":1}')
    expect(texts.slice(1).every((text) => text.startsWith('{"stream":"btcusdt@'))).toBe(true)
    socket.send('{"method":"LIST_SUBSCRIPTIONS","id":"x"}')
    socket.send('{"method":"UNSUBSCRIBE","params":["btcusdt@trade","btcusdt@depth@100ms"],"id":3}')
    while (!texts.includes('{"result":null,"id":3}')) await once(socket, 'message')
    expect(texts).toContain('{"result":["btcusdt@trade","btcusdt@depth@100ms","nosuch@trade"],"id":"x"}')
    const quiet = texts.length
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(texts.length).toBe(quiet)
  })

  test('a raw path needs no subscription and has no envelope', async () => {
    const { endpoints } = await sim()
    const { texts, until } = await client(`${endpoints['binance.spot'].socket}/ws/btcusdt@trade`)
    await until(3)
    expect(texts[0]).toMatch(/^{"e":"trade","E":\d+,"s":"BTCUSDT","t":/)
  })

  test('a futures stream on the wrong route is acknowledged and silent', async () => {
    const { endpoints } = await sim()
    const { socket, texts, until } = await client(`${endpoints['binance.usdm'].socket}/public/ws`)
    socket.send('{"method":"SUBSCRIBE","params":["btcusdt@markPrice@1s"],"id":1}')
    await until(1)
    const market = await client(`${endpoints['binance.usdm'].socket}/market/ws/btcusdt@markPrice@1s`)
    await market.until(2)
    expect(texts).toEqual(['{"result":null,"id":1}'])
    expect(market.texts[0]).toMatch(/^{"e":"markPriceUpdate"/)
  })

  test('a Bybit client gets pong, snapshot, deltas, and a refusal for an unknown symbol', async () => {
    const { endpoints } = await sim()
    const { socket, texts } = await client(`${endpoints['bybit.linear'].socket}/v5/public/linear`)
    socket.send('{"req_id":"1","op":"ping"}')
    socket.send('{"op":"subscribe","args":["orderbook.50.NOSUCH"]}')
    socket.send('{"op":"subscribe","args":["orderbook.50.BTCUSDT","tickers.BTCUSDT"]}')
    while (!texts.some((text) => text.includes('"type":"delta"'))) await once(socket, 'message')
    expect(texts[0]).toMatch(/^{"success":true,"ret_msg":"pong","conn_id":"[^"]+","req_id":"1","op":"ping"}$/)
    expect(texts[1]).toContain('"success":false')
    const topic = texts.findIndex((text) => text.includes('"topic":"orderbook.50.BTCUSDT"'))
    expect(texts[topic]).toContain('"type":"snapshot"')
  })

  test('more than five messages a second end a spot connection', async () => {
    const { endpoints } = await sim()
    const { socket } = await client(`${endpoints['binance.spot'].socket}/ws`)
    for (let i = 0; i < 8; i++) socket.send(`{"method":"LIST_SUBSCRIPTIONS","id":${i}}`)
    const [code] = await once(socket, 'close')
    expect(code).toBe(1008)
  })

  test('the 1025th stream ends a connection, and an unknown path is refused', async () => {
    const { endpoints } = await sim()
    const { socket } = await client(`${endpoints['binance.usdm'].socket}/public/ws`)
    const params = Array.from({ length: 1025 }, (_, i) => `s${i}@trade`)
    socket.send(JSON.stringify({ method: 'SUBSCRIBE', params, id: 1 }))
    const [code] = await once(socket, 'close')
    expect(code).toBe(1008)
    const wrong = new WebSocket(`${endpoints['bybit.linear'].socket}/v5/public/options`)
    const [error] = await once(wrong, 'error') as [Error]
    expect(error.message).toContain('404')
  })

  test('a TCP reset is a reset', async () => {
    const { endpoints } = await sim({ faults: parseFaults('reset=1') })
    const { socket } = await client(`${endpoints['binance.spot'].socket}/ws/btcusdt@trade`)
    const [code] = await once(socket, 'close')
    expect(code).toBe(1006)
  })
})

describe('REST', () => {
  test('depth, time and instruments answer over HTTP with the used weight', async () => {
    const { endpoints } = await sim()
    const { rest } = endpoints['binance.spot']
    const depth = await fetch(`${rest}/api/v3/depth?symbol=BTCUSDT&limit=5`)
    expect(depth.headers.get('x-mbx-used-weight-1m')).toBe('5')
    expect(((await depth.json()) as { bids: unknown[] }).bids).toHaveLength(5)
    expect((await fetch(`${rest}/api/v3/nosuch`)).status).toBe(404)
    const time = (await (await fetch(`${rest}/api/v3/time`)).json()) as { serverTime: number }
    expect(Math.abs(time.serverTime - Date.now())).toBeLessThan(2000)
  })

  test('Bybit instruments are paged by the cursor until it is empty', async () => {
    const { endpoints, exchange } = await sim({ pairs: 6 })
    const symbols: string[] = []
    let cursor = ''
    let pages = 0
    do {
      pages += 1
      const query = `category=linear&limit=3&cursor=${cursor}`
      const page = await fetch(`${endpoints['bybit.linear'].rest}/v5/market/instruments-info?${query}`)
      const { result } = (await page.json()) as {
        result: { list: { symbol: string }[]; nextPageCursor: string }
      }
      symbols.push(...result.list.map((row) => row.symbol))
      cursor = result.nextPageCursor
    } while (cursor !== '')
    expect(symbols).toEqual(exchange.symbols('bybit.linear'))
    expect(symbols).toHaveLength(6)
    expect(pages).toBe(2)
  })

  test('old trades continue by id without a hole', async () => {
    const { endpoints, exchange } = await sim()
    const url = `${endpoints['binance.spot'].rest}/api/v3/historicalTrades?symbol=BTCUSDT`
    while (exchange.stats().trades < 300) await new Promise((resolve) => setTimeout(resolve, 50))
    const page = async (query: string): Promise<number[]> =>
      ((await (await fetch(url + query)).json()) as { id: number }[]).map((row) => row.id)
    const [first = 0] = await page('&fromId=0&limit=1')
    const ids = [...await page(`&fromId=${first}&limit=5`), ...await page(`&fromId=${first + 5}&limit=5`)]
    expect(ids).toEqual(Array.from({ length: 10 }, (_, i) => first + i))
  })
})

describe('the truth log', () => {
  const folder = (): string => {
    const path = mkdtempSync(join(tmpdir(), 'kt-sim-'))
    onTestFinished(() => rmSync(path, { recursive: true }))
    return path
  }

  test('is written while the exchange runs and summed up by venue, symbol and kind', async () => {
    const path = join(folder(), 'truth.jsonl')
    const running = await startSim({ seed: 7, pairs: 2, rate: 500, depth: 50, truthPath: path })
    const socket = new WebSocket(`${running.endpoints['binance.spot'].socket}/ws/btcusdt@trade`)
    await once(socket, 'message')
    await new Promise((resolve) => setTimeout(resolve, 300))
    const { trades } = running.stats()
    socket.terminate()
    await running.stop()
    const summary = await truthSummary(path)
    const rows = summary.counts.filter((row) => row.kind === 'trade')
    const counted = rows.reduce((sum, row) => sum + row.count, 0)
    expect(trades).toBeGreaterThan(10)
    expect(counted).toBeGreaterThanOrEqual(trades)
    expect(summary.counts.find((row) => row.kind === 'session')?.count).toBe(2)
  })

  test('keeps to its size, reads back in order, and survives a line that was cut off', async () => {
    const path = join(folder(), 'truth.jsonl')
    const file = openTruth(path, 2 << 20)
    for (let time = 0; time < 60_000; time++) {
      file.write(`{"kind":"trade","venue":"binance.spot","symbol":"A","time":${time},"id":"${time}"}`)
    }
    file.close()
    appendFileSync(path, '{"kind":"tra')
    const parts = readdirSync(dirname(path)).map((name) => statSync(join(dirname(path), name)).size)
    const size = parts.reduce((sum, bytes) => sum + bytes, 0)
    expect(size).toBeLessThanOrEqual((2 << 20) + (1 << 18))
    const times: number[] = []
    for await (const truth of readTruth(path)) times.push(truth.time)
    expect(times.at(-1)).toBe(59_999)
    expect(times.length).toBeGreaterThan(20_000)
    for (let i = 1; i < times.length; i++) expect(times[i]).toBe(times[i - 1]! + 1)
  })
})
