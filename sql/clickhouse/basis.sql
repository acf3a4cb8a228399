CREATE TABLE IF NOT EXISTS `basis`
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
ENGINE = MergeTree
PARTITION BY toDate(`received`)
ORDER BY (`pair`, `perp`, `reference`, `time`)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'spreads of perpetuals to spot and to each other, both legs proven (basis/1)';
