import { vi } from 'vitest'

/**
 * The tests of the ClickHouse sink once more, against ClickHouse's own HTTP listener in place of kt's front
 * (skipped where there is no Python 3 to start it with, or no loopback of IPv6): what holds for both hangs on
 * neither, and the bytes that the front sends are those of ClickHouse.
 */
vi.stubEnv('KT_ENGINE', 'listener')

await import('./clickhouse-ddl.test.ts')
await import('./clickhouse-exact.test.ts')
await import('./clickhouse-hard.suite.ts')
await import('./clickhouse-native.test.ts')
await import('./clickhouse-refused.test.ts')
await import('./clickhouse-sums.test.ts')
await import('./clickhouse-views.test.ts')
await import('./chdb-peers.test.ts')
await import('./chdb-wire.test.ts')
