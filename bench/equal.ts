import { readBatch, rowsOf } from '../graph/batch.ts'
import type { LogRecord } from '../graph/port.ts'
import { logged, schemaId } from '../graph/schema.ts'
import { bookDelta, trade } from '../market/index.ts'
import type { BookDelta, Trade } from '../market/index.ts'
import type { FrameSet } from './frames.ts'
import { ktPipeline } from './kt.ts'
import type { TardisEvent } from './peer/tardis.ts'
import type { Pipeline, Reach } from './pipeline.ts'

const schemas = new Map([trade, bookDelta].map((one) => [schemaId(one), logged(one)]))

/** A trade or a book change as text: every number as the double it is. */
const ours = (record: LogRecord): readonly string[] => {
  const schema = schemas.get(record.schema)
  if (schema === undefined) return []
  return rowsOf(readBatch(schema, record.bytes)).flatMap((row) => {
    if ('side' in row) {
      const { id, price, size, side, time } = row as unknown as Trade
      return [JSON.stringify([id, price, size, side, time])]
    }
    const { snapshot, origin, bidPrices, bidSizes, askPrices, askSizes } = row as unknown as BookDelta
    // tardis-dev rewrites a snapshot that was asked for over REST, and takes the other of Binance's two
    // times.
    return origin === 'rest' && snapshot ? [] : [JSON.stringify([bidPrices, bidSizes, askPrices, askSizes])]
  })
}

const theirs = (event: TardisEvent): string => {
  if (event.type === 'trade') {
    const { id, price, amount, side, timestamp } = event
    return JSON.stringify([id, price, amount, side, timestamp.getTime() * 1000])
  }
  const { bids, asks } = event
  const numbers = [bids.map((l) => l.price), bids.map((l) => l.amount)]
  const more = [asks.map((l) => l.price), asks.map((l) => l.amount)]
  return JSON.stringify([...numbers, ...more])
}

/**
 * Take all frames once with kt and once with tardis-dev, and compare every row that both have: the last of
 * each schema, as many as the shorter has. What comes before a book's beginning, they treat differently.
 */
export const expectSameRows = (
  set: FrameSet,
  reach: Reach,
  tardis: (reach: Reach, see: (event: TardisEvent) => void) => Pipeline,
  missingMost = 40,
): void => {
  const [here, there]: [string[], string[]] = [[], []]
  const kt = ktPipeline(set.source, reach, (records) => void here.push(...records.flatMap(ours)))
  const peer = tardis(reach, (event) => {
    if (event.type === 'trade' || !event.isSnapshot || set.source.startsWith('bybit')) {
      there.push(theirs(event))
    }
  })
  for (const frame of set.frames) {
    kt.take(frame)
    peer.take(frame)
  }
  kt.end()
  const count = Math.min(here.length, there.length)
  const differs = here.slice(-count).findIndex((row, at) => row !== there.at(at - count))
  if (count > 0 && Math.abs(here.length - there.length) <= missingMost && differs < 0) return
  throw new Error(
    `${set.name}: kt made ${here.length} rows and tardis-dev ${there.length}; of the last ${count} ` +
      `the first that differs is ${differs}: ${here.at(differs - count)?.slice(0, 200)} beside ` +
      `${there.at(differs - count)?.slice(0, 200)}`,
  )
}
