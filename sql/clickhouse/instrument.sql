CREATE TABLE IF NOT EXISTS `instrument`
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
ENGINE = MergeTree
PARTITION BY toYYYYMM(`received`)
ORDER BY (`instrument`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'listings, and how their units convert (instrument/1)';
