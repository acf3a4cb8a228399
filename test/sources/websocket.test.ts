import { isDeepStrictEqual } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { FrameReader } from '../../sources/socket-frame.ts'
import { cases } from './websocket-cases.ts'
import type { Case } from './websocket-cases.ts'
import { openStage } from './websocket-conformance.ts'

const stage = await openStage()
afterAll(() => stage.close())
const all = await cases()
const groups = [...new Set(all.map(({ group }) => group))]
const TITLES: Readonly<Record<string, string>> = {
  1: 'messages of all lengths', 2: 'pings and pongs', 3: 'reserved bits', 4: 'reserved opcodes', 5: 'fragments', 6: 'UTF-8',
  7: 'closing', 9: 'limits', 12: 'compression with a common context', 13: 'compression',
}

describe('a WebSocket client does what RFC 6455 and RFC 7692 ask of it', () => {
  // Reads of so many bytes cut the handshake's answer and each frame at multiples of it.
  for (const group of groups) {
    const mine = all.filter((one) => one.group === group)
    test(`${TITLES[group]} (${mine.length} cases), whole and cut at every byte`, async () => {
      for (const one of mine) {
        for (const readBytes of [1 << 19, 1, 2, 7, 127]) {
          // A long stream byte by byte takes long and cuts nothing new.
          if (one.bytes.length < 5000 * readBytes) await stage.play(one, readBytes)
        }
      }
    })
  }
})

interface Reading {
  readonly heard: (string | Buffer)[]
  readonly fault: unknown
}

/** Read pieces as the client does: what is left of one is put before the next. */
const readIn = (pieces: readonly Buffer[], one: Case): Reading => {
  const heard: (string | Buffer)[] = []
  const reader = new FrameReader(
    {
      message: (bytes, from, to, binary) => {
        const copy = Buffer.from(bytes.subarray(from, to))
        heard.push(binary ? copy : copy.toString())
      },
      control: (opcode) => {
        if (opcode === 9) heard.push('(ping)')
        if (opcode === 8) reader.halted = true
      },
    },
    { bytesMax: one.options?.messageBytesMax ?? 8 << 20, tailMax: 4096, strictText: one.options?.strictText === true, deflate: false },
  )
  let tail = Buffer.alloc(0)
  for (const piece of pieces) {
    if (reader.halted) break
    const whole = Buffer.concat([tail, piece])
    tail = whole.subarray(reader.read(whole, 0, whole.length))
    if (!reader.halted && tail.length > 4096) throw new Error(`${tail.length} bytes are left`)
  }
  return { heard, fault: reader.fault }
}

test('a stream of frames reads the same, wherever it is cut in two', () => {
  for (const one of all) {
    if (one.extensions !== undefined || one.bytes.length > 10_000) continue
    const whole = readIn([one.bytes], one)
    expect(whole.heard, one.name).toEqual(one.heard)
    const step = Math.ceil(one.bytes.length / 500)
    for (let at = 1; at < one.bytes.length; at += step) {
      const cut = readIn([one.bytes.subarray(0, at), one.bytes.subarray(at)], one)
      if (!isDeepStrictEqual(cut, whole)) expect(cut, `${one.name} at ${at}`).toEqual(whole)
    }
  }
})
