import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { HostError } from '../../graph/error.ts'
import { connectTables } from '../../sinks/driver/clickhouse.ts'

test.each([
  [
    'a full disk, in its own code',
    243,
    'Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)',
    true,
  ],
  [
    'a full disk, while it writes',
    75,
    'Cannot write to file descriptor 12: errno: 28, strerror: No space left on device (CANNOT_WRITE_TO_FILE_DESCRIPTOR)',
    true,
  ],
  [
    'a full quota',
    481,
    'filesystem error: cannot create directory: Disk quota exceeded (CANNOT_CREATE_DIRECTORY)',
    true,
  ],
  [
    'a broken disk',
    75,
    'Cannot write to file descriptor 12: errno: 5, strerror: Input/output error (CANNOT_WRITE_TO_FILE_DESCRIPTOR)',
    false,
  ],
  ['a table that it does not know', 60, 'Unknown table (UNKNOWN_TABLE)', true],
  ['a statement that it cannot read', 62, 'Syntax error (SYNTAX_ERROR)', false],
])('what ClickHouse says of %s is worth another attempt or not', async (_, code, text, passing) => {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(500, { 'X-ClickHouse-Exception-Code': String(code) })
      response.end(`Code: ${code}. DB::Exception: ${text}`)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const tables = connectTables({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  try {
    const error = await tables.exec('SELECT 1').then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof HostError)) throw new Error(`expected a HostError, not ${String(error)}`)
    expect(error.code).toBe('KT6102')
    expect(error.message).toContain(String(code))
    expect(error.retry).toEqual(passing ? { afterMs: 1000 } : 'never')
  } finally {
    await tables.close()
    server.close()
    server.closeAllConnections()
  }
})
