CREATE TABLE IF NOT EXISTS `gap`
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
ENGINE = MergeTree
PARTITION BY toYYYYMM(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'what is missing, why, and what repaired it (gap/1)';
