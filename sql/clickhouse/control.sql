CREATE TABLE IF NOT EXISTS `control`
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
ENGINE = MergeTree
PARTITION BY toYYYYMM(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'sessions, staleness and ticks (control/1)';
