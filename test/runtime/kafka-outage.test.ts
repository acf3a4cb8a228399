import { expect, test } from 'vitest'
import { Outage } from '../../runtime/driver/kafka-outage.ts'
import type { OutageChange } from '../../runtime/driver/kafka-outage.ts'
import { insist } from '../../runtime/driver/kafka-transaction.ts'

const told = () => {
  const changes: OutageChange[] = []
  return { changes, outage: new Outage('a', (change) => void changes.push(change)) }
}
const passing = (text: string): Error => Object.assign(new Error(text), { code: -195, isRetriable: true })

test('an outage is told once when it begins, however often it is tried, and once when it is over', async () => {
  const { changes, outage } = told()
  const answers = [passing('first'), passing('second'), undefined]
  await insist(async () => {
    const answer = answers.shift()
    if (answer !== undefined) throw answer
  }, outage)
  outage.failed(passing('third'))
  outage.over()
  outage.over()
  expect(changes.map(({ state, shard, error }) => [state, shard, (error as Error).message])).toEqual([
    ['begun', 'a', 'first'],
    ['over', 'a', 'first'],
  ])
  // Two tries lie between, a tenth of a second apart.
  expect(changes[1]!.lastedMs).toBeGreaterThan(100)
  outage.failed(passing('fourth'))
  expect(changes.at(-1)).toMatchObject({ state: 'begun', error: { message: 'fourth' } })
})

test('what is not to be tried again is no outage', async () => {
  const { changes, outage } = told()
  const fenced = Object.assign(new Error('fenced'), { code: -144, isRetriable: true })
  await expect(insist(() => Promise.reject(fenced), outage)).rejects.toBe(fenced)
  outage.over()
  expect(changes).toEqual([])
})
