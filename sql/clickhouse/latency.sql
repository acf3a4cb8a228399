CREATE TABLE IF NOT EXISTS `latency`
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
ENGINE = MergeTree
PARTITION BY toYYYYMM(`time`)
ORDER BY (`source`, `channel`, `hop`, `time`)
TTL toDateTime(`time`) + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1
COMMENT 'how long each hop took (latency/1)';
