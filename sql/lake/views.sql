-- What people ask most. Each view has the same name and columns on ClickHouse and on the lake; where ClickHouse says
-- bars(seconds = 60), DuckDB says bars(60). Prices are in quote currency per base asset and sizes in base assets: the
-- venue's own units are converted with the newest listing of the instrument. `listed` is false where there is none, and
-- then units are the venue's.

-- The pair of an instrument: 'binance:perp:BTC-USDT' is 'BTC-USDT', whatever it settles in and whenever it expires.
CREATE OR REPLACE MACRO pair_of(instrument) AS
  array_to_string(string_split(split_part(instrument, ':', 3), '-')[1:2], '-');

-- Every instrument as it is now.
CREATE OR REPLACE VIEW listing AS
SELECT venue, instrument, source, symbol, kind, base, quote, base || '-' || quote AS pair, settle,
  multiplier, contract_size, inverse, tick_size, lot_size, status, time, received
FROM instrument
QUALIFY row_number() OVER (PARTITION BY instrument ORDER BY time DESC, received DESC, _off DESC, _row DESC) = 1;

-- Trades in base assets and quote currency.
CREATE OR REPLACE VIEW trade_in_base AS
WITH unit AS (
  SELECT t.*, coalesce(l.multiplier > 0, false) AS listed, coalesce(l.inverse, false) AS inverse,
    CASE WHEN l.multiplier > 0 THEN l.multiplier ELSE 1 END AS multiplier,
    CASE WHEN l.multiplier > 0 THEN l.contract_size ELSE 1 END AS contract_size
  FROM trade AS t LEFT JOIN listing AS l ON l.instrument = t.instrument
), priced AS (
  SELECT *, price / multiplier AS price_in_base, size * contract_size AS units FROM unit
), sized AS (
  SELECT *, CASE WHEN inverse THEN units / price_in_base ELSE units * multiplier END AS size_in_base FROM priced
)
SELECT venue, instrument, time, received, first, last, id, side, listed, price_in_base, units, size_in_base,
  price_in_base * size_in_base AS turnover, _off, _row
FROM sized;

-- OHLCV bars of any length, by the venue's clock: SELECT * FROM bars(60) WHERE instrument = '...' ORDER BY start
CREATE OR REPLACE MACRO bars(seconds) AS TABLE
SELECT venue, instrument, time_bucket(to_seconds(seconds), time) AS start,
  arg_min(price_in_base, {t: time, o: _off, r: _row}) AS open,
  max(price_in_base) AS high,
  min(price_in_base) AS low,
  arg_max(price_in_base, {t: time, o: _off, r: _row}) AS close,
  sum(size_in_base) AS volume,
  sum(turnover) AS turnover,
  coalesce(sum(size_in_base) FILTER (WHERE side = 'buy'), 0) AS buy_volume,
  sum(turnover) / sum(size_in_base) AS vwap,
  count(*) AS trades,
  min(listed) AS listed
FROM trade_in_base
GROUP BY ALL;

-- The newest quote of each instrument. Act only on rows whose trust is live; `why` says why another is not.
CREATE OR REPLACE VIEW top_of_book AS
WITH newest AS (
  SELECT * FROM quote
  QUALIFY row_number() OVER (PARTITION BY instrument ORDER BY received DESC, _off DESC, _row DESC) = 1
), unit AS (
  SELECT q.*, coalesce(l.multiplier > 0, false) AS listed, coalesce(l.inverse, false) AS inverse,
    CASE WHEN l.multiplier > 0 THEN l.multiplier ELSE 1 END AS base_in_unit,
    CASE WHEN l.multiplier > 0 THEN l.contract_size ELSE 1 END AS contract_size
  FROM newest AS q LEFT JOIN listing AS l ON l.instrument = q.instrument
), priced AS (
  SELECT * REPLACE (bid / base_in_unit AS bid, ask / base_in_unit AS ask) FROM unit
)
SELECT pair_of(instrument) AS pair, venue, instrument, time, received, trust, why, listed, base_in_unit, bid, ask,
  contract_size AS units,
  bid_size * contract_size * CASE WHEN inverse THEN 1 / bid ELSE base_in_unit END AS bid_size,
  ask_size * contract_size * CASE WHEN inverse THEN 1 / ask ELSE base_in_unit END AS ask_size,
  (bid + ask) / 2 AS mid,
  10000 * (ask - bid) / ((bid + ask) / 2) AS spread_bps,
  trusted_depth
FROM priced;

-- The newest spread of every two legs that are compared.
CREATE OR REPLACE VIEW basis_latest AS
SELECT * EXCLUDE (_topic, _part, _off, _row, _order, _step, _epoch, dt)
FROM basis
QUALIFY row_number() OVER (PARTITION BY pair, perp, reference ORDER BY received DESC, _off DESC, _row DESC) = 1;

-- Spreads over time, for any interval: SELECT * FROM basis_history(60) WHERE pair = 'BTC-USDT' ORDER BY start
CREATE OR REPLACE MACRO basis_history(seconds) AS TABLE
SELECT pair, perp, reference, kind, time_bucket(to_seconds(seconds), time) AS start,
  arg_min(bps, {t: time, o: _off, r: _row}) FILTER (WHERE state = 'live') AS bps_open,
  max(bps) FILTER (WHERE state = 'live') AS bps_high,
  min(bps) FILTER (WHERE state = 'live') AS bps_low,
  arg_max(bps, {t: time, o: _off, r: _row}) FILTER (WHERE state = 'live') AS bps_close,
  avg(bps) FILTER (WHERE state = 'live') AS bps_mean,
  max(net_bps) FILTER (WHERE state = 'live') AS net_bps_high,
  arg_max(carry_apr, {t: time, o: _off, r: _row}) FILTER (WHERE state = 'live') AS carry_apr_close,
  count(*) FILTER (WHERE state = 'live') / count(*) AS live_share
FROM basis
GROUP BY ALL;

-- The funding rate of every perpetual for the period that is running.
CREATE OR REPLACE VIEW funding_latest AS
SELECT pair_of(instrument) AS pair, venue, instrument, kind, rate, interval_hours, interval_from, funding_time,
  rate_per_hour, apr, time, received
FROM funding
QUALIFY row_number() OVER (
  PARTITION BY instrument ORDER BY funding_time DESC, received DESC, _off DESC, _row DESC) = 1;

-- What a year of funding would earn at today's rates: short the dear perpetual, long another one, or the spot market.
CREATE OR REPLACE VIEW funding_carry AS
SELECT s.pair AS pair, s.instrument AS short, l.instrument AS long, s.apr AS short_apr, l.apr AS long_apr,
  s.apr - l.apr AS carry_apr, s.rate_per_hour - l.rate_per_hour AS carry_per_hour,
  s.funding_time AS short_next, l.next AS long_next, least(s.received, l.received) AS received
FROM funding_latest AS s
INNER JOIN (
  SELECT pair, instrument, apr, rate_per_hour, funding_time AS next, received FROM funding_latest
  UNION ALL
  SELECT pair, instrument, 0, 0, NULL, received FROM listing WHERE kind = 'spot' AND status = 'trading'
) AS l ON l.pair = s.pair
WHERE s.apr > l.apr AND s.instrument <> l.instrument;

-- The gap ledger: what is missing, why, and when it was made whole; `ids` counts what was numbered and we lack.
-- A healed row without ids (a book seeded anew) heals all before it; one with ids, what lies within them.
CREATE OR REPLACE VIEW gaps AS
SELECT o.venue AS venue, o.instrument AS instrument, o.channel AS channel, o.proof AS proof, o.cause AS cause,
  o.first AS first, o.last AS last, o.last - o.first + 1 AS ids, o.from_time AS from_time, o.to_time AS to_time,
  o.received AS opened,
  min(h.received) AS healed,
  CASE WHEN min(h.received) IS NULL THEN 'open' ELSE 'healed' END AS state,
  o.repair AS repair
FROM (SELECT * FROM gap WHERE event = 'opened') AS o
LEFT JOIN (SELECT * FROM gap WHERE event = 'healed') AS h
  ON h.venue = o.venue AND h.instrument = o.instrument AND h.channel = o.channel AND h.received >= o.received
  AND (h.first IS NULL OR (h.first <= o.first AND h.last >= o.last))
GROUP BY ALL;

-- How old the newest row of each instrument and channel is.
CREATE OR REPLACE VIEW freshness AS
SELECT channel, venue, instrument, newest, received, (epoch_us(now()) - epoch_us(received)) / 1000 AS age_ms
FROM (
  SELECT 'trade' AS channel, venue, instrument, max(time) AS newest, max(received) AS received FROM trade GROUP BY ALL
  UNION ALL
  SELECT 'quote', venue, instrument, max(time), max(received) FROM quote GROUP BY ALL
  UNION ALL
  SELECT 'mark', venue, instrument, max(time), max(received) FROM mark GROUP BY ALL
  UNION ALL
  SELECT 'funding', venue, instrument, max(time), max(received) FROM funding GROUP BY ALL
);

-- How far each partition of the log is in each table.
CREATE OR REPLACE VIEW loaded AS
SELECT 'trade' AS "table", _topic AS topic, _part AS "partition", max(_off) AS "offset", count(*) AS rows
FROM trade GROUP BY ALL
UNION ALL SELECT 'quote', _topic, _part, max(_off), count(*) FROM quote GROUP BY ALL
UNION ALL SELECT 'mark', _topic, _part, max(_off), count(*) FROM mark GROUP BY ALL
UNION ALL SELECT 'funding', _topic, _part, max(_off), count(*) FROM funding GROUP BY ALL
UNION ALL SELECT 'basis', _topic, _part, max(_off), count(*) FROM basis GROUP BY ALL
UNION ALL SELECT 'candle', _topic, _part, max(_off), count(*) FROM candle GROUP BY ALL
UNION ALL SELECT 'gap', _topic, _part, max(_off), count(*) FROM gap GROUP BY ALL
UNION ALL SELECT 'instrument', _topic, _part, max(_off), count(*) FROM instrument GROUP BY ALL
UNION ALL SELECT 'control', _topic, _part, max(_off), count(*) FROM control GROUP BY ALL
UNION ALL SELECT 'latency', _topic, _part, max(_off), count(*) FROM latency GROUP BY ALL;

-- Is every trade that a venue numbered here, or in the gap ledger? `unexplained` must be 0. NULL: it does not number.
CREATE OR REPLACE VIEW completeness AS
WITH held AS (
  SELECT venue, instrument, count(*) AS rows, min(first) AS first_id, max(last) AS last_id,
    CAST(sum(last - first + 1) AS BIGINT) AS ids
  FROM trade GROUP BY ALL
), lost AS (
  SELECT instrument, CAST(sum(ids) FILTER (WHERE proof = 'proven') AS BIGINT) AS ids,
    count(*) FILTER (WHERE proof = 'possible') AS possible
  FROM gaps WHERE channel = 'trade' AND state = 'open' GROUP BY ALL
)
SELECT t.venue AS venue, t.instrument AS instrument, t.rows AS rows, t.first_id AS first_id, t.last_id AS last_id,
  t.last_id - t.first_id + 1 AS numbered, t.ids AS present,
  CASE WHEN t.first_id IS NOT NULL THEN coalesce(g.ids, 0) END AS in_gaps,
  t.last_id - t.first_id + 1 - t.ids - coalesce(g.ids, 0) AS unexplained,
  coalesce(g.possible, 0) AS possible_gaps
FROM held AS t LEFT JOIN lost AS g ON g.instrument = t.instrument;
