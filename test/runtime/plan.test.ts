import { describe, expect, test } from 'vitest'
import { ascii, changes, describe as described, mermaid } from '../../graph/describe.ts'
import { graph } from '../../graph/graph.ts'
import { plan } from '../../graph/plan.ts'
import { topic } from '../../graph/topic.ts'
import { copied, diamond, source, system, tapTopic, work } from './stages-graph.ts'
import { byGroup, read, sum, sums, total, totals, venue } from './world.ts'

const sumTopic = topic('sum', { schema: sum, key: byGroup })
const totalTopic = topic('total', { schema: total, key: byGroup })
const names = (of: ReturnType<typeof plan>) => of.stages.map((stage) => stage.name)

describe('the plan of a graph of several stages', () => {
  test('names a stage by its first node, so that others may come and go', () => {
    expect(names(work.one)).toEqual(['work/0'])
    expect(names(work.two)).toEqual(['work/0', 'work/sums'])
    expect(names(work.three)).toEqual(['work/0', 'work/sums', 'work/totals'])
    expect(names(copied)).toEqual(['copied/0', 'copied/tap-by-one', 'copied/sums'])
  })

  test('shows what each stage reads and makes', () => {
    expect(ascii(work.three)).toBe(
      [
        'graph work',
        '',
        'stage work/0: 1 shard, kept by group',
        '  source    venue.tap',
        '  operator  read           <- venue.tap',
        '  topic     tap            <- read   by group, 3 partition(s)',
        '  topic     kt.control      by shard, 3 partition(s)',
        '  topic     kt.gap          by shard, 3 partition(s)',
        '  topic     kt.instrument   by shard, 3 partition(s)',
        '  topic     kt.latency      by shard, 3 partition(s)',
        '',
        'stage work/sums: 1 shard, reads tap, kt.control',
        '  operator  sums           <- tap',
        '  topic     sum            <- sums   by group, 2 partition(s)',
        '',
        'stage work/totals: 1 shard, reads sum, kt.control',
        '  operator  totals         <- sum',
        '  topic     total          <- totals   by group, 1 partition(s)',
        '',
        'sinks',
      ].join('\n'),
    )
    expect(
      mermaid(work.three)
        .split('\n')
        .filter((line) => line.includes('-->')),
    ).toEqual([
      '  venue_tap --> read',
      '  read --> tap',
      '  tap --> sums',
      '  sums --> sum',
      '  sum --> totals',
      '  totals --> total',
    ])
  })

  test('says what a stage that is added would change', () => {
    expect(changes(described(work.two), described(work.two))).toEqual([])
    expect(changes(described(work.two), described(work.three))).toEqual([
      '~ topic     kt.control   partitions 2 -> 3',
      '~ topic     kt.gap   partitions 2 -> 3',
      '~ topic     kt.instrument   partitions 2 -> 3',
      '~ topic     kt.latency   partitions 2 -> 3',
      '~ operator  totals   from sums -> sum',
    ])
  })

  test('puts a stage behind those whose topics it reads', () => {
    const reads = diamond.stages.map((stage) => stage.reads.map((one) => one.name))
    expect(reads).toEqual([[], ['tap', 'kt.control'], ['tap', 'sum', 'kt.control']])
    expect(diamond.stages.map((stage) => stage.partition)).toEqual([0, 1, 2])
  })

  test('reads all sources in one stage', () => {
    const other = { ...venue, name: 'other' as const }
    const made = plan(
      graph('many', (g) => {
        g.source(venue, source).tap.via(read).through(tapTopic)
        g.source(other, source)
          .tap.via({ ...read, name: 'read.other' })
          .through(topic('other', { schema: tapTopic.schema, key: byGroup }))
      }),
      system,
    )
    expect(names(made)).toEqual(['many/0'])
    expect(made.stages[0]!.writes.slice(0, 2).map((write) => [write.topic.name, ...write.from])).toEqual([
      ['tap', 'read'],
      ['other', 'read.other'],
    ])
  })

  test('refuses a node that takes a topic beside what the topic follows from', () => {
    const both = (): unknown =>
      plan(
        graph('both', (g) => {
          const tapped = g.source(venue, source).tap.via(read)
          const added = tapped.through(tapTopic).via(sums)
          g.merge(tapped.via({ ...sums, name: 'early' }), added.through(sumTopic))
            .via(totals)
            .through(totalTopic)
        }),
        system,
      )
    expect(both).toThrow(
      expect.objectContaining({
        code: 'KT1020',
        message: '"totals" takes topic "sum" beside a stream that the topic follows from',
      }) as Error,
    )
    const twice = (): unknown =>
      plan(
        graph('twice', (g) => {
          const tapped = g.source(venue, source).tap.via(read)
          const late = tapped.through(tapTopic).via(sums)
          g.merge(tapped.via({ ...sums, name: 'early' }), late).through(sumTopic)
        }),
        system,
      )
    expect(twice).toThrow(expect.objectContaining({ code: 'KT1020' }) as Error)
  })
})
