CREATE TABLE IF NOT EXISTS `trade` ON CLUSTER '{cluster}'
(
  `venue` LowCardinality(String) COMMENT 'who sent it' CODEC(ZSTD(1)),
  `instrument` LowCardinality(String) COMMENT 'venue:kind:BASE-QUOTE' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'when it happened, by the clock of the venue' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when it reached us, by our clock' CODEC(Delta(8), ZSTD(1)),
  `first` Nullable(Int64) COMMENT 'first id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `last` Nullable(Int64) COMMENT 'last id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `id` String COMMENT 'id of the venue' CODEC(ZSTD(1)),
  `side` Enum8('buy' = 0, 'sell' = 1) COMMENT 'side of the taker' CODEC(ZSTD(1)),
  `price` Float64 COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `size` Float64 COMMENT 'units of the venue' CODEC(ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'fills, as the venue prints them (trade/1)';

CREATE TABLE IF NOT EXISTS `book_delta` ON CLUSTER '{cluster}'
(
  `venue` LowCardinality(String) COMMENT 'who sent it' CODEC(ZSTD(1)),
  `instrument` LowCardinality(String) COMMENT 'venue:kind:BASE-QUOTE' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'when it happened, by the clock of the venue' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when it reached us, by our clock' CODEC(Delta(8), ZSTD(1)),
  `first` Nullable(Int64) COMMENT 'first id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `last` Nullable(Int64) COMMENT 'last id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `snapshot` Bool COMMENT 'replaces the whole book' CODEC(ZSTD(1)),
  `origin` Enum8('stream' = 0, 'rest' = 1) COMMENT 'where a snapshot came from' CODEC(ZSTD(1)),
  `horizon` Int32 COMMENT 'levels a side the venue sent at most, 0 for the whole book' CODEC(ZSTD(1)),
  `bid_prices` Array(Float64) COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `bid_sizes` Array(Float64) COMMENT 'units of the venue, 0 removes the level' CODEC(ZSTD(1)),
  `ask_prices` Array(Float64) COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `ask_sizes` Array(Float64) COMMENT 'units of the venue, 0 removes the level' CODEC(ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(`received`)
ORDER BY (`instrument`, `time`)
TTL toDateTime(`received`) + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1
COMMENT 'changes and snapshots of order books (bookDelta/1)';

CREATE TABLE IF NOT EXISTS `quote` ON CLUSTER '{cluster}'
(
  `venue` LowCardinality(String) COMMENT 'who sent it' CODEC(ZSTD(1)),
  `instrument` LowCardinality(String) COMMENT 'venue:kind:BASE-QUOTE' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'when it happened, by the clock of the venue' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when it reached us, by our clock' CODEC(Delta(8), ZSTD(1)),
  `first` Nullable(Int64) COMMENT 'first id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `last` Nullable(Int64) COMMENT 'last id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `trust` Enum8('syncing' = 0, 'live' = 1, 'gap' = 2, 'stale' = 3) COMMENT 'may it be acted on' CODEC(ZSTD(1)),
  `why` LowCardinality(String) COMMENT 'why it is not live' CODEC(ZSTD(1)),
  `bid` Nullable(Float64) COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `bid_size` Nullable(Float64) COMMENT 'units of the venue' CODEC(ZSTD(1)),
  `ask` Nullable(Float64) COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `ask_size` Nullable(Float64) COMMENT 'units of the venue' CODEC(ZSTD(1)),
  `trusted_depth` Int32 COMMENT 'levels a side known to be right' CODEC(ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'best bid and ask of each book, proven or saying that it is not (quote/1)';

CREATE TABLE IF NOT EXISTS `ticker` ON CLUSTER '{cluster}'
(
  `venue` LowCardinality(String) COMMENT 'who sent it' CODEC(ZSTD(1)),
  `instrument` LowCardinality(String) COMMENT 'venue:kind:BASE-QUOTE' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'when it happened, by the clock of the venue' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when it reached us, by our clock' CODEC(Delta(8), ZSTD(1)),
  `first` Nullable(Int64) COMMENT 'first id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `last` Nullable(Int64) COMMENT 'last id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `bid` Nullable(Float64) COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `bid_size` Nullable(Float64) COMMENT 'units of the venue' CODEC(ZSTD(1)),
  `ask` Nullable(Float64) COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `ask_size` Nullable(Float64) COMMENT 'units of the venue' CODEC(ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(`received`)
ORDER BY (`instrument`, `time`)
TTL toDateTime(`received`) + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1
COMMENT 'best bid and ask, as the venue prints them (ticker/1)';

CREATE TABLE IF NOT EXISTS `mark` ON CLUSTER '{cluster}'
(
  `venue` LowCardinality(String) COMMENT 'who sent it' CODEC(ZSTD(1)),
  `instrument` LowCardinality(String) COMMENT 'venue:kind:BASE-QUOTE' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'when it happened, by the clock of the venue' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when it reached us, by our clock' CODEC(Delta(8), ZSTD(1)),
  `first` Nullable(Int64) COMMENT 'first id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `last` Nullable(Int64) COMMENT 'last id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `mark` Float64 COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `index` Nullable(Float64) COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `rate` Nullable(Float64) COMMENT 'running funding rate, a fraction for one period' CODEC(ZSTD(1)),
  `funding_time` Nullable(DateTime64(6, 'UTC')) COMMENT 'when the period ends' CODEC(Delta(8), ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'mark price, index price and running funding rate of perpetuals (mark/1)';

CREATE TABLE IF NOT EXISTS `funding_interval` ON CLUSTER '{cluster}'
(
  `venue` LowCardinality(String) COMMENT 'who sent it' CODEC(ZSTD(1)),
  `instrument` LowCardinality(String) COMMENT 'venue:kind:BASE-QUOTE' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'when it happened, by the clock of the venue' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when it reached us, by our clock' CODEC(Delta(8), ZSTD(1)),
  `first` Nullable(Int64) COMMENT 'first id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `last` Nullable(Int64) COMMENT 'last id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `hours` Float64 COMMENT 'hours of one period' CODEC(ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'how often perpetuals pay funding (fundingInterval/1)';

CREATE TABLE IF NOT EXISTS `funding` ON CLUSTER '{cluster}'
(
  `venue` LowCardinality(String) COMMENT 'who sent it' CODEC(ZSTD(1)),
  `instrument` LowCardinality(String) COMMENT 'venue:kind:BASE-QUOTE' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'when it happened, by the clock of the venue' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when it reached us, by our clock' CODEC(Delta(8), ZSTD(1)),
  `first` Nullable(Int64) COMMENT 'first id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `last` Nullable(Int64) COMMENT 'last id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `kind` Enum8('estimate' = 0, 'final' = 1) COMMENT 'running estimate, or what was paid' CODEC(ZSTD(1)),
  `rate` Float64 COMMENT 'fraction of the position for one period' CODEC(ZSTD(1)),
  `interval_hours` Float64 COMMENT 'hours of one period' CODEC(ZSTD(1)),
  `interval_from` Enum8('venue' = 0, 'observed' = 1, 'next' = 2) COMMENT 'who says how long a period is' CODEC(ZSTD(1)),
  `funding_time` DateTime64(6, 'UTC') COMMENT 'when the period ends' CODEC(Delta(8), ZSTD(1)),
  `rate_per_hour` Float64 COMMENT 'fraction of the position for one hour' CODEC(ZSTD(1)),
  `apr` Float64 COMMENT 'fraction of the position for one year, simple' CODEC(ZSTD(1)),
  `predicted` Nullable(Float64) COMMENT 'the first estimate seen of the same period' CODEC(ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'funding rates of perpetuals, estimated and final (funding/1)';

CREATE TABLE IF NOT EXISTS `basis` ON CLUSTER '{cluster}'
(
  `pair` LowCardinality(String) COMMENT 'BASE-QUOTE' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'the newer time of the two legs, by the clock of the venue' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when the event that moved it reached us' CODEC(Delta(8), ZSTD(1)),
  `kind` Enum8('spot-perp' = 0, 'perp-perp' = 1) COMMENT 'what is compared' CODEC(ZSTD(1)),
  `perp` LowCardinality(String) COMMENT 'instrument of the perpetual' CODEC(ZSTD(1)),
  `reference` LowCardinality(String) COMMENT 'instrument of the spot market, or of the other perpetual' CODEC(ZSTD(1)),
  `state` Enum8('live' = 0, 'withheld' = 1) COMMENT 'withheld while a leg is stale or unproven' CODEC(ZSTD(1)),
  `why` LowCardinality(String) COMMENT 'why it is withheld' CODEC(ZSTD(1)),
  `perp_mid` Nullable(Float64) COMMENT 'quote currency per base asset' CODEC(ZSTD(1)),
  `reference_mid` Nullable(Float64) COMMENT 'quote currency per base asset' CODEC(ZSTD(1)),
  `bps` Nullable(Float64) COMMENT 'ten-thousandths by which the perpetual is dearer' CODEC(ZSTD(1)),
  `net_bps` Nullable(Float64) COMMENT 'ten-thousandths left after crossing both spreads' CODEC(ZSTD(1)),
  `perp_age_ms` Nullable(Float64) COMMENT 'time since the last proof of life of the leg, in milliseconds' CODEC(ZSTD(1)),
  `reference_age_ms` Nullable(Float64) COMMENT 'time since the last proof of life of the leg, in milliseconds' CODEC(ZSTD(1)),
  `perp_last` Nullable(Int64) COMMENT 'update id of the leg' CODEC(Delta(8), ZSTD(1)),
  `reference_last` Nullable(Int64) COMMENT 'update id of the leg' CODEC(Delta(8), ZSTD(1)),
  `perp_apr` Nullable(Float64) COMMENT 'funding of the perpetual, fraction a year' CODEC(ZSTD(1)),
  `reference_apr` Nullable(Float64) COMMENT 'funding of the reference, fraction a year; 0 for spot' CODEC(ZSTD(1)),
  `carry_apr` Nullable(Float64) COMMENT 'funding earned by short perp and long reference, fraction a year' CODEC(ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(`received`)
ORDER BY (`pair`, `perp`, `reference`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'spreads of perpetuals to spot and to each other, both legs proven (basis/1)';

CREATE TABLE IF NOT EXISTS `candle` ON CLUSTER '{cluster}'
(
  `venue` LowCardinality(String) COMMENT 'who sent it' CODEC(ZSTD(1)),
  `instrument` LowCardinality(String) COMMENT 'venue:kind:BASE-QUOTE' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'when it happened, by the clock of the venue' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when it reached us, by our clock' CODEC(Delta(8), ZSTD(1)),
  `first` Nullable(Int64) COMMENT 'first id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `last` Nullable(Int64) COMMENT 'last id of the venue that this covers' CODEC(DoubleDelta, ZSTD(1)),
  `frame` LowCardinality(String) COMMENT 'length of the bar' CODEC(ZSTD(1)),
  `start` DateTime64(6, 'UTC') COMMENT 'first microsecond of the bar' CODEC(DoubleDelta, ZSTD(1)),
  `open` Float64 COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `high` Float64 COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `low` Float64 COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `close` Float64 COMMENT 'quote currency per unit of the venue' CODEC(ZSTD(1)),
  `volume` Float64 COMMENT 'units of the venue' CODEC(ZSTD(1)),
  `turnover` Float64 COMMENT 'quote currency' CODEC(ZSTD(1)),
  `buy_volume` Float64 COMMENT 'units of the venue taken by buyers' CODEC(ZSTD(1)),
  `trades` Int32 COMMENT 'how many trades' CODEC(ZSTD(1)),
  `revision` Int32 COMMENT '0 when the bar closed, more after late trades' CODEC(ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(`received`)
ORDER BY (`instrument`, `frame`, `start`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'bars of trades in event time (candle/1)';

CREATE TABLE IF NOT EXISTS `control` ON CLUSTER '{cluster}'
(
  `kind` Enum8('tick' = 0, 'start' = 1, 'up' = 2, 'down' = 3, 'stale' = 4, 'live' = 5, 'alive' = 6, 'drop' = 7) COMMENT 'what happened' CODEC(ZSTD(1)),
  `source` LowCardinality(String) COMMENT 'source of the graph' CODEC(ZSTD(1)),
  `channel` LowCardinality(String) COMMENT 'channel of the source' CODEC(ZSTD(1)),
  `instrument` LowCardinality(String) COMMENT 'empty when it concerns all' CODEC(ZSTD(1)),
  `connection` Int32 COMMENT 'number of the connection' CODEC(ZSTD(1)),
  `epoch` Int32 COMMENT 'times this connection was made' CODEC(ZSTD(1)),
  `why` String COMMENT 'reason, for a person' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'when' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when' CODEC(Delta(8), ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'sessions, staleness and ticks (control/1)';

CREATE TABLE IF NOT EXISTS `gap` ON CLUSTER '{cluster}'
(
  `venue` LowCardinality(String) COMMENT 'who did not send it, or to whom we were not listening' CODEC(ZSTD(1)),
  `instrument` LowCardinality(String) COMMENT 'venue:kind:BASE-QUOTE' CODEC(ZSTD(1)),
  `channel` LowCardinality(String) COMMENT 'what is missing' CODEC(ZSTD(1)),
  `event` Enum8('opened' = 0, 'healed' = 1) COMMENT 'found, or repaired' CODEC(ZSTD(1)),
  `proof` Enum8('proven' = 0, 'possible' = 1) COMMENT 'ids are missing, or an interruption of a channel without ids' CODEC(ZSTD(1)),
  `first` Nullable(Int64) COMMENT 'first missing id' CODEC(DoubleDelta, ZSTD(1)),
  `last` Nullable(Int64) COMMENT 'last missing id' CODEC(DoubleDelta, ZSTD(1)),
  `from_time` DateTime64(6, 'UTC') COMMENT 'venue time of the last row before the hole' CODEC(Delta(8), ZSTD(1)),
  `to_time` DateTime64(6, 'UTC') COMMENT 'venue time of the first row after the hole' CODEC(Delta(8), ZSTD(1)),
  `cause` Enum8('lost' = 0, 'disconnect' = 1, 'restart' = 2, 'dropped' = 3, 'venue' = 4) COMMENT 'why' CODEC(ZSTD(1)),
  `repair` Enum8('none' = 0, 'seed' = 1, 'backfill' = 2) COMMENT 'what makes it whole' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'when it was found, by the clock of the venue' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when it was found, by our clock' CODEC(Delta(8), ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'what is missing, why, and what repaired it (gap/1)';

CREATE TABLE IF NOT EXISTS `instrument` ON CLUSTER '{cluster}'
(
  `venue` LowCardinality(String) COMMENT 'who lists it' CODEC(ZSTD(1)),
  `instrument` LowCardinality(String) COMMENT 'venue:kind:BASE-QUOTE' CODEC(ZSTD(1)),
  `source` LowCardinality(String) COMMENT 'source of the graph' CODEC(ZSTD(1)),
  `symbol` LowCardinality(String) COMMENT 'name at the venue' CODEC(ZSTD(1)),
  `kind` Enum8('spot' = 0, 'perp' = 1, 'future' = 2) COMMENT 'what it is' CODEC(ZSTD(1)),
  `base` LowCardinality(String) COMMENT 'asset that is priced' CODEC(ZSTD(1)),
  `quote` LowCardinality(String) COMMENT 'asset that prices are in' CODEC(ZSTD(1)),
  `settle` LowCardinality(String) COMMENT 'asset that is paid' CODEC(ZSTD(1)),
  `multiplier` Float64 COMMENT 'base assets in one unit of price and size' CODEC(ZSTD(1)),
  `contract_size` Float64 COMMENT 'units in one contract' CODEC(ZSTD(1)),
  `inverse` Bool COMMENT 'sizes are in quote currency' CODEC(ZSTD(1)),
  `tick_size` Float64 COMMENT 'step of prices' CODEC(ZSTD(1)),
  `lot_size` Float64 COMMENT 'step of sizes' CODEC(ZSTD(1)),
  `status` Enum8('trading' = 0, 'halted' = 1, 'gone' = 2) COMMENT 'can it be traded' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'valid from' CODEC(Delta(8), ZSTD(1)),
  `received` DateTime64(6, 'UTC') COMMENT 'when we learned it' CODEC(Delta(8), ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'listings, and how their units convert (instrument/1)';

CREATE TABLE IF NOT EXISTS `latency` ON CLUSTER '{cluster}'
(
  `source` LowCardinality(String) COMMENT 'source of the graph; empty: all of the shard' CODEC(ZSTD(1)),
  `channel` LowCardinality(String) COMMENT 'channel of the source; empty: all of the shard' CODEC(ZSTD(1)),
  `hop` Enum8('venue' = 0, 'normalize' = 1, 'log' = 2) COMMENT 'venue to socket, socket to rows, step to durable' CODEC(ZSTD(1)),
  `time` DateTime64(6, 'UTC') COMMENT 'end of the second' CODEC(Delta(8), ZSTD(1)),
  `count` Int64 COMMENT 'how many' CODEC(Delta(8), ZSTD(1)),
  `p50_us` Float64 COMMENT 'median, microseconds' CODEC(ZSTD(1)),
  `p99_us` Float64 COMMENT '99th percentile, microseconds' CODEC(ZSTD(1)),
  `max_us` Float64 COMMENT 'slowest, microseconds' CODEC(ZSTD(1)),
  `_order` Int32 COMMENT 'place in its step, over all topics of the shard' CODEC(ZSTD(1)),
  `_topic` LowCardinality(String) COMMENT 'topic of the log' CODEC(ZSTD(1)),
  `_part` Int32 COMMENT 'partition of the topic' CODEC(ZSTD(1)),
  `_off` Int64 COMMENT 'offset of the record in its partition' CODEC(Delta(8), ZSTD(1)),
  `_row` Int32 COMMENT 'place of the row in its record' CODEC(ZSTD(1)),
  `_step` Int64 COMMENT 'step of the shard that wrote it' CODEC(Delta(8), ZSTD(1)),
  `_epoch` Int32 COMMENT 'epoch of the shard that wrote it' CODEC(ZSTD(1)),
  INDEX `ix_off` `_off` TYPE minmax GRANULARITY 4,
  PROJECTION `p_hwm` (SELECT `_topic`, `_part`, max(`_off`), count() GROUP BY `_topic`, `_part`)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(`time`)
ORDER BY (`source`, `channel`, `hop`, `time`)
TTL toDateTime(`time`) + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1
COMMENT 'how long each hop took (latency/1)';
