import { writeSync } from 'node:fs'
import { fileStore } from '../../runtime/driver/files.ts'

/** One of many processes that want the same objects. */
const [folder, name] = process.argv.slice(2) as [string, string]
const store = fileStore(folder)
writeSync(1, 'ready\n')
while ((await store.get('go')) === undefined) await new Promise((resolve) => setImmediate(resolve))
for (let i = 0; i < 20; i++)
  if (await store.putIfAbsent(`commit/${i}`, new TextEncoder().encode(name))) writeSync(1, `won ${i}\n`)
