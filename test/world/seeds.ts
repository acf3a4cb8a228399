// npm run seeds -- FIRST COUNT: as many simulated worlds as one likes; prints those in which a promise is
// broken.
import { violations } from './check.ts'
import { runWorld, worldOf } from './world.ts'

const [first = 1, count = 100] = process.argv.slice(2).map(Number)
const begun = Date.now()
let broken = 0
let rows = 0
for (let seed = first; seed < first + count; seed++) {
  const outcome = await runWorld(worldOf(seed))
  const found = violations(outcome)
  rows += Object.values(outcome.rows).reduce((sum, some) => sum + some.length, 0)
  if (Object.keys(found).length === 0) continue
  broken++
  console.log(`seed ${seed}`, found)
}
console.log(`${count} worlds, ${rows} rows, ${broken} broken, ${((Date.now() - begun) / 1000).toFixed(0)} s`)
process.exit(broken === 0 ? 0 : 1)
