import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadGraph, planOf } from '../../cli/graph-file.ts'
import { foldersOf } from '../../cli/settings.ts'
import { Columns } from '../../graph/columns.ts'
import { logged, schemaId } from '../../graph/schema.ts'
import type { AnySchema, Column } from '../../graph/schema.ts'
import { marketSchemas } from '../../market/schemas.ts'
import { segmentLog } from '../../runtime/driver/segment-log.ts'
import { kt } from '../e2e/command.ts'
import { randomOf } from '../random.ts'
import { toldOf } from './rows.ts'
import type { Told } from './rows.ts'

/**
 * What a release leaves for all later ones to read: `node test/history/make.ts` writes it, once for each, into
 * a folder named by its version. What is there is never made anew.
 */
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string }
const to = join(import.meta.dirname, version)
const ROWS = 6

/** A value of every kind, and now and then none. */
const valueOf = ({ kind, nullable, values }: Column, draw: (below: number) => number): unknown => {
  if (nullable && draw(3) === 0) return null
  switch (kind) {
    case 'text':
    case 'name':
      return `é${draw(1000)}`
    case 'float':
      return draw(1_000_000) / 64
    case 'count':
      return draw(2 ** 30) * 2 ** 20 + 1
    case 'int':
      return draw(2 ** 30) - 2 ** 29
    case 'micros':
      return 1_767_311_000_000_000 + draw(2 ** 30)
    case 'flag':
      return draw(2) === 1
    case 'choice':
      return values[draw(values.length)]
    case 'floats':
      return Array.from({ length: draw(4) }, () => draw(1000) / 8)
  }
}

const recordOf = (schema: AnySchema) => {
  const draw = randomOf(schema.columns.length)
  const columns = new Columns(logged(schema))
  const events = Array.from({ length: ROWS }, (_, at) => {
    const event = Object.fromEntries(schema.columns.map((column) => [column.name, valueOf(column, draw)]))
    columns.add(event, 2 * at)
    return { ...event, _order: 2 * at }
  })
  return { schema: schemaId(schema), bytes: Buffer.from(columns.take().bytes).toString('base64'), events }
}

const runOf = async (file: string): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-history-'))
  const { code, err } = await kt(
    ...['graph', 'run', file, '--source', 'sim', '--data', folder, '--port', '0'],
    ...['--pairs', '1', '--rate', '40', '--for', '12s'],
  )
  if (code !== 0) throw new Error(err)
  const { name, topics } = planOf(await loadGraph(file))
  for (const kept of ['log', 'state/checkpoints']) cpSync(join(folder, kept), join(to, name, kept), { recursive: true })
  for (const gone of ['holds', 'lock.1']) rmSync(join(to, name, 'log', gone), { recursive: true, force: true })
  const log = await segmentLog(foldersOf(folder).log)
  const told: Record<string, Told> = {}
  for (const topic of topics)
    told[topic.name] = await toldOf(log, topic, topic.schema.columns.map((column) => column.name))
  await log.close()
  writeFileSync(join(to, name, 'topics.json'), `${JSON.stringify(told, null, 1)}\n`)
  rmSync(folder, { recursive: true, force: true })
}

mkdirSync(to)
writeFileSync(join(to, 'records.json'), `${JSON.stringify(marketSchemas.map(recordOf), null, 1)}\n`)
for (const file of ['graph/basis.ts', 'graph/candles.ts']) await runOf(file)
