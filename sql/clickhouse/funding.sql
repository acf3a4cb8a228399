CREATE TABLE IF NOT EXISTS `funding`
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
ENGINE = MergeTree
PARTITION BY toYYYYMM(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'funding rates of perpetuals, estimated and final (funding/1)';
