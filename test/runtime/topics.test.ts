import { describe, expect, test } from 'vitest'
import { SHARDS, differencesOf, wantedTopics } from '../../runtime/topics.ts'
import type { FoundTopic, WantedTopic } from '../../runtime/topics.ts'
import { smallPlan } from './world.ts'

const KEEPING = { retentionMs: 86_400_000 }
const asWanted = ({ partitions, replicas, config }: WantedTopic, set: object = {}): FoundTopic => ({
  partitions,
  replicas,
  config: { ...config, ...set },
})
const wantedOf = (topic: string, brokers: number): WantedTopic =>
  wantedTopics(smallPlan, KEEPING, brokers).find(({ name }) => name === topic)!

/** `what`, and whether a run is refused. */
const found = (wanted: WantedTopic, is: FoundTopic | undefined): readonly string[] =>
  differencesOf(wanted, is).map(({ what, breaks }) => (breaks === undefined ? what : `${what}!`))

describe('the topics of a graph', () => {
  test('have the partitions of the plan, and as many replicas as there are brokers, three at most', () => {
    for (const [brokers, replicas, least] of [
      [1, 1, '1'],
      [2, 2, '2'],
      [3, 3, '2'],
      [9, 3, '2'],
    ] as const) {
      const wanted = wantedTopics(smallPlan, KEEPING, brokers)
      expect(wanted.map(({ name }) => name)).toEqual([...smallPlan.topics.map(({ name }) => name), SHARDS])
      expect(wanted.find(({ name }) => name === 'sum')!.partitions).toBe(2)
      for (const one of wanted) {
        expect([one.replicas, one.config['min.insync.replicas']]).toEqual([replicas, least])
        expect(one.config['cleanup.policy']).toBe(one.name === SHARDS ? 'compact' : 'delete')
      }
    }
    const [asked] = wantedTopics(smallPlan, { ...KEEPING, replicas: 5 }, 9)
    expect([asked!.replicas, asked!.config['min.insync.replicas']]).toEqual([5, '4'])
  })

  test('are as they are wanted, or are not there yet', () => {
    for (const one of wantedTopics(smallPlan, KEEPING, 3)) {
      expect(found(one, asWanted(one))).toEqual([])
      expect(found(one, { ...asWanted(one), partitions: one.partitions + 1 })).toEqual([])
      expect(found(one, undefined)).toEqual(['topic'])
    }
  })

  test('are refused with what would lose rows or write them twice, and with nothing else', () => {
    const [sum, shards] = [wantedOf('sum', 3), wantedOf(SHARDS, 3)]
    expect(found(sum, { ...asWanted(sum), partitions: 1 })).toEqual(['partitions!'])
    const cases: readonly (readonly [WantedTopic, object, string])[] = [
      [sum, { 'cleanup.policy': 'compact' }, 'cleanup.policy!'],
      [shards, { 'cleanup.policy': 'delete' }, 'cleanup.policy!'],
      [shards, { 'cleanup.policy': 'compact,delete' }, 'cleanup.policy!'],
      [sum, { 'retention.ms': '1000' }, 'retention.ms'],
      [sum, { 'max.message.bytes': '1048588' }, 'max.message.bytes!'],
      [sum, { 'max.message.bytes': String(16 << 20) }, 'max.message.bytes'],
      [sum, { 'min.insync.replicas': '1' }, 'min.insync.replicas!'],
      [sum, { 'min.insync.replicas': '4' }, 'min.insync.replicas!'],
      [sum, { 'min.insync.replicas': '3' }, 'min.insync.replicas'],
      [sum, { 'unclean.leader.election.enable': 'true' }, 'unclean.leader.election.enable!'],
    ]
    for (const [wanted, set, what] of cases) expect(found(wanted, asWanted(wanted, set))).toEqual([what])
  })

  test('on one broker have nothing to fear from other brokers', () => {
    const sum = wantedOf('sum', 1)
    expect(found(sum, asWanted(sum, { 'unclean.leader.election.enable': 'true' }))).toEqual([
      'unclean.leader.election.enable',
    ])
    expect(found(wantedOf('sum', 3), asWanted(sum))).toEqual(['replicas'])
  })
})
