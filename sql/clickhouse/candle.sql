CREATE TABLE IF NOT EXISTS `candle`
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
ENGINE = MergeTree
PARTITION BY toYYYYMM(`received`)
ORDER BY (`instrument`, `frame`, `start`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'bars of trades in event time (candle/1)';
