import { KtError } from '../../graph/error.ts'

/**
 * How tables are replicated: `cluster` names one of one shard, whose servers get every statement that makes a
 * table; without it the database is of the engine Replicated, and passes such statements on by itself.
 */
export interface Replication {
  readonly cluster: string | undefined
}

/** `cluster:NAME` or `database`, as `KT_CLICKHOUSE_REPLICATED` has it. Throws KT6109. */
export const replicationOf = (text: string | undefined): Replication | undefined => {
  if (text === undefined || text === '') return undefined
  if (text === 'database') return { cluster: undefined }
  // A macro of the server stands in braces.
  const cluster = /^cluster:([\w.-]+|\{\w+\})$/.exec(text)?.[1]
  if (cluster !== undefined) return { cluster }
  throw new KtError('KT6109', `"${text}" does not say how tables are replicated`, {
    where: 'KT_CLICKHOUSE_REPLICATED',
    fix: 'Write cluster:NAME, of system.clusters; or database, where that of kt has the engine Replicated.',
  })
}

/** Behind the name of what is created. */
export const onCluster = (replication: Replication | undefined): string =>
  replication?.cluster === undefined ? '' : ` ON CLUSTER '${replication.cluster}'`

/** A database that replicates itself gives its tables their place in Keeper. */
export const engineOf = (replication: Replication | undefined): string => {
  if (replication === undefined) return 'MergeTree'
  if (replication.cluster === undefined) return 'ReplicatedMergeTree'
  return "ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')"
}

/** How many shards a cluster has: a table is whole on each of its servers only if it has one. */
export const SHARDS = `SELECT uniqExact(shard_num) AS shards FROM system.clusters
WHERE cluster = if(startsWith({cluster:String}, '{'),
  getMacro(trim(BOTH '{}' FROM {cluster:String})), {cluster:String})`

/**
 * Settings of an insert whose rows every later read must show, whichever replica it asks: a majority has them
 * before it is acknowledged, and one insert into a table follows another. With `insert_quorum_parallel` a
 * `select_sequential_consistency` would do nothing:
 * https://clickhouse.com/docs/reference/settings/session-settings/insert-quorum
 */
export const QUORUM = {
  insert_quorum: 'auto',
  insert_quorum_parallel: 0,
  insert_quorum_timeout: 30_000,
} as const
