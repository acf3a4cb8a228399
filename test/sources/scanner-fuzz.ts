// npm run fuzz -- FRAMES SEED: messages changed at random, scanned and parsed; ends at the first that differ.
import { fuzz } from './fuzz.ts'
import { allTargets } from './fuzz-targets.ts'

const [frames = 1_000_000, seed = 1] = process.argv.slice(2).map(Number)
// Where an error came from is never asked here, and costs more than to read a message.
Error.stackTraceLimit = 0
const begun = Date.now()
let told = begun
const { byTarget, errors, ...sum } = fuzz(await allTargets(), frames, seed, (so) => {
  if (Date.now() - told < 30_000) return
  told = Date.now()
  console.log(`${so} messages`)
})
for (const [name, own] of byTarget) console.log(`${name.padEnd(32)} ${String(own.frames).padStart(9)} messages, ${((own.scanned / own.frames) * 100).toFixed(0)} % scanned`)
console.log(
  `${sum.frames} messages, seed ${seed}: ${sum.scanned} scanned, ${sum.templates} templates learned, none differs; ${((Date.now() - begun) / 1000).toFixed(0)} s\n` +
  [...errors].map(([code, count]) => `${code} ${count}`).join(', '),
)
