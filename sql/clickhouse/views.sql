-- What people ask most. Each view has the same name and columns on ClickHouse and on the lake.
-- Prices are in quote currency per base asset and sizes in base assets: the venue's own units are converted with
-- the newest listing of the instrument. `listed` is false where there is none, and then units are the venue's.

-- Every instrument as it is now.
CREATE OR REPLACE VIEW listing AS
SELECT venue, instrument, source, symbol, kind, base, quote, concat(base, '-', quote) AS pair, settle,
  multiplier, contract_size, inverse, tick_size, lot_size, status, time, received
FROM instrument
ORDER BY time DESC, received DESC, _off DESC, _row DESC
LIMIT 1 BY instrument;

-- Trades in base assets and quote currency.
CREATE OR REPLACE VIEW trade_in_base AS
SELECT t.venue AS venue, t.instrument AS instrument, t.time AS time, t.received AS received, t.first AS first,
  t.last AS last, t.id AS id, t.side AS side,
  l.multiplier > 0 AS listed,
  t.price / if(listed, l.multiplier, 1) AS price_in_base,
  t.size * if(listed, l.contract_size, 1) AS units,
  if(l.inverse, units / price_in_base, units * if(listed, l.multiplier, 1)) AS size_in_base,
  price_in_base * size_in_base AS turnover,
  t._off AS _off, t._row AS _row
FROM trade AS t LEFT JOIN listing AS l ON l.instrument = t.instrument;

-- OHLCV bars of any length, by the venue's clock:
-- SELECT * FROM bars(seconds = 60) WHERE instrument = 'binance:spot:BTC-USDT' ORDER BY start
CREATE OR REPLACE VIEW bars AS
SELECT venue, instrument, toStartOfInterval(time, toIntervalSecond({seconds:UInt32})) AS start,
  argMin(price_in_base, (time, _off, _row)) AS open,
  max(price_in_base) AS high,
  min(price_in_base) AS low,
  argMax(price_in_base, (time, _off, _row)) AS close,
  sum(size_in_base) AS volume,
  sum(trade_in_base.turnover) AS turnover,
  sumIf(size_in_base, side = 'buy') AS buy_volume,
  turnover / volume AS vwap,
  count() AS trades,
  min(listed) AS listed
FROM trade_in_base
GROUP BY venue, instrument, start;

-- The newest quote of each instrument. Act only on rows whose trust is live; `why` says why another is not.
CREATE OR REPLACE VIEW top_of_book AS
SELECT pair, q.venue AS venue, q.instrument AS instrument, q.time AS time, q.received AS received,
  q.trust AS trust, q.why AS why,
  l.multiplier > 0 AS listed,
  if(listed, l.multiplier, 1) AS base_in_unit,
  q.bid / base_in_unit AS bid,
  q.ask / base_in_unit AS ask,
  if(listed, l.contract_size, 1) AS units,
  if(l.inverse, q.bid_size * units / bid, q.bid_size * units * base_in_unit) AS bid_size,
  if(l.inverse, q.ask_size * units / ask, q.ask_size * units * base_in_unit) AS ask_size,
  (bid + ask) / 2 AS mid,
  10000 * (ask - bid) / mid AS spread_bps,
  q.trusted_depth AS trusted_depth
FROM (
  SELECT *, arrayStringConcat(arraySlice(splitByChar('-', splitByChar(':', instrument)[3]), 1, 2), '-') AS pair
  FROM quote
  WHERE received >= (SELECT max(received) FROM quote) - toIntervalDay(1)
  ORDER BY received DESC, _off DESC, _row DESC
  LIMIT 1 BY instrument
) AS q LEFT JOIN listing AS l ON l.instrument = q.instrument;

-- The newest spread of every two legs that are compared.
CREATE OR REPLACE VIEW basis_latest AS
SELECT * EXCEPT (_topic, _part, _off, _row, _order, _step, _epoch)
FROM basis
WHERE received >= (SELECT max(received) FROM basis) - toIntervalDay(1)
ORDER BY received DESC, _off DESC, _row DESC
LIMIT 1 BY pair, perp, reference;

-- Spreads over time, for any interval:
-- SELECT * FROM basis_history(seconds = 60) WHERE pair = 'BTC-USDT' ORDER BY start
CREATE OR REPLACE VIEW basis_history AS
SELECT pair, perp, reference, kind, toStartOfInterval(time, toIntervalSecond({seconds:UInt32})) AS start,
  argMinIf(bps, (time, _off, _row), state = 'live') AS bps_open,
  maxIf(bps, state = 'live') AS bps_high,
  minIf(bps, state = 'live') AS bps_low,
  argMaxIf(bps, (time, _off, _row), state = 'live') AS bps_close,
  avgIf(bps, state = 'live') AS bps_mean,
  maxIf(net_bps, state = 'live') AS net_bps_high,
  argMaxIf(carry_apr, (time, _off, _row), state = 'live') AS carry_apr_close,
  countIf(state = 'live') / count() AS live_share
FROM basis
GROUP BY pair, perp, reference, kind, start;

-- The funding rate of every perpetual for the period that is running.
CREATE OR REPLACE VIEW funding_latest AS
SELECT arrayStringConcat(arraySlice(splitByChar('-', splitByChar(':', instrument)[3]), 1, 2), '-') AS pair,
  venue, instrument, kind, rate, interval_hours, interval_from, funding_time, rate_per_hour, apr, time, received
FROM funding
ORDER BY funding_time DESC, received DESC, _off DESC, _row DESC
LIMIT 1 BY instrument;

-- What a year of funding would earn at today's rates: short the dear perpetual, long another one, or spot.
CREATE OR REPLACE VIEW funding_carry AS
SELECT s.pair AS pair, s.instrument AS short, l.instrument AS long, s.apr AS short_apr, l.apr AS long_apr,
  short_apr - long_apr AS carry_apr, s.rate_per_hour - l.rate_per_hour AS carry_per_hour,
  s.funding_time AS short_next, l.next AS long_next, least(s.received, l.received) AS received
FROM funding_latest AS s
INNER JOIN (
  SELECT pair, instrument, apr, rate_per_hour, toNullable(funding_time) AS next, received FROM funding_latest
  UNION ALL
  SELECT pair, instrument, 0, 0, NULL, received FROM listing WHERE kind = 'spot' AND status = 'trading'
) AS l ON l.pair = s.pair
WHERE s.apr > l.apr AND s.instrument != l.instrument;

-- The gap ledger: what is missing, why, and when it was made whole; `ids` counts what was numbered and we lack.
-- A healed row without ids (a book seeded anew) heals all before it; one with ids, what lies within them.
CREATE OR REPLACE VIEW gaps AS
SELECT o.venue AS venue, o.instrument AS instrument, o.channel AS channel, o.proof AS proof, o.cause AS cause,
  o.first AS first, o.last AS last, o.last - o.first + 1 AS ids, o.from_time AS from_time, o.to_time AS to_time,
  o.received AS opened,
  minIf(toNullable(h.received), h.instrument != '' AND h.received >= o.received AND
    (h.first IS NULL OR (h.first <= o.first AND h.last >= o.last))) AS healed,
  if(healed IS NULL, 'open', 'healed') AS state,
  o.repair AS repair
FROM (SELECT * FROM gap WHERE event = 'opened') AS o
LEFT JOIN (SELECT * FROM gap WHERE event = 'healed') AS h
  ON h.venue = o.venue AND h.instrument = o.instrument AND h.channel = o.channel
GROUP BY ALL;

-- How old the newest row of each instrument and channel is.
CREATE OR REPLACE VIEW freshness AS
SELECT channel, venue, instrument, newest, received,
  (toUnixTimestamp64Micro(now64(6, 'UTC')) - toUnixTimestamp64Micro(received)) / 1000 AS age_ms
FROM (
  SELECT 'trade' AS channel, venue, instrument, max(time) AS newest, max(trade.received) AS received
  FROM trade
  WHERE trade.received >= (SELECT max(received) FROM trade) - toIntervalDay(1)
  GROUP BY venue, instrument
  UNION ALL
  SELECT 'quote', venue, instrument, max(time), max(quote.received)
  FROM quote
  WHERE quote.received >= (SELECT max(received) FROM quote) - toIntervalDay(1)
  GROUP BY venue, instrument
  UNION ALL
  SELECT 'mark', venue, instrument, max(time), max(mark.received)
  FROM mark
  WHERE mark.received >= (SELECT max(received) FROM mark) - toIntervalDay(1)
  GROUP BY venue, instrument
  UNION ALL
  SELECT 'funding', venue, instrument, max(time), max(funding.received)
  FROM funding
  WHERE funding.received >= (SELECT max(received) FROM funding) - toIntervalDay(1)
  GROUP BY venue, instrument
);

-- How far each partition of the log is in each table, from projections: milliseconds at any size.
CREATE OR REPLACE VIEW loaded AS
SELECT 'trade' AS table, _topic AS topic, _part AS partition, max(_off) AS offset, count() AS rows
FROM trade GROUP BY _topic, _part
UNION ALL SELECT 'quote', _topic, _part, max(_off), count() FROM quote GROUP BY _topic, _part
UNION ALL SELECT 'mark', _topic, _part, max(_off), count() FROM mark GROUP BY _topic, _part
UNION ALL SELECT 'funding', _topic, _part, max(_off), count() FROM funding GROUP BY _topic, _part
UNION ALL SELECT 'basis', _topic, _part, max(_off), count() FROM basis GROUP BY _topic, _part
UNION ALL SELECT 'candle', _topic, _part, max(_off), count() FROM candle GROUP BY _topic, _part
UNION ALL SELECT 'gap', _topic, _part, max(_off), count() FROM gap GROUP BY _topic, _part
UNION ALL SELECT 'instrument', _topic, _part, max(_off), count() FROM instrument GROUP BY _topic, _part
UNION ALL SELECT 'control', _topic, _part, max(_off), count() FROM control GROUP BY _topic, _part
UNION ALL SELECT 'latency', _topic, _part, max(_off), count() FROM latency GROUP BY _topic, _part;

-- Is every trade that a venue numbered here, or in the gap ledger? `unexplained` must be 0; NULL where the venue
-- does not number.
CREATE OR REPLACE VIEW completeness AS
SELECT t.venue AS venue, t.instrument AS instrument, t.rows AS rows, t.first_id AS first_id, t.last_id AS last_id,
  t.last_id - t.first_id + 1 AS numbered, t.ids AS present,
  if(t.first_id IS NULL, NULL, coalesce(g.ids, 0)) AS in_gaps,
  numbered - present - in_gaps AS unexplained,
  g.possible AS possible_gaps
FROM (
  SELECT venue, instrument, count() AS rows, min(first) AS first_id, max(last) AS last_id,
    sum(last - first + 1) AS ids
  FROM trade GROUP BY venue, instrument
) AS t
LEFT JOIN (
  SELECT instrument, sumIf(ids, proof = 'proven') AS ids, countIf(proof = 'possible') AS possible
  FROM gaps WHERE channel = 'trade' AND state = 'open' GROUP BY instrument
) AS g ON g.instrument = t.instrument;
