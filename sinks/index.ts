export { clickhouse } from './clickhouse/sink.ts'
export type { ClickhouseOptions, ClickhouseSink } from './clickhouse/sink.ts'
export { lake } from './lake.ts'
export type { LakeOptions, LakeSink } from './lake.ts'
