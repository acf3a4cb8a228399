import { setTimeout as pause } from 'node:timers/promises'
import { KtError } from '../../graph/error.ts'
import type { AnySource, SourceHost } from '../../graph/source.ts'
import { systemClock } from '../../runtime/driver/clock.ts'
import { openCapture } from '../../sources/driver/capture.ts'
import { loadMapping } from '../../sources/driver/jsonata.ts'
import { openVenueNet } from '../../sources/driver/proxy.ts'
import { markets } from '../../sources/index.ts'
import { madeFolder } from '../claim.ts'
import { noteText } from '../note.ts'
import { command, EXIT, print, printJson, say } from '../outcome.ts'
import type { GlobalOptions } from '../outcome.ts'
import { durationMs } from '../settings.ts'

interface RecordOptions extends GlobalOptions {
  readonly channels: string
  readonly pairs: string
  readonly for: string
  readonly out: string
  readonly endpoint?: string
}

const SOURCES: readonly AnySource[] = markets

/** Write a source's messages, as they come off the socket, to a tape that `kt replay` reads. */
export const record = async (name: string, options: RecordOptions): Promise<number> => {
  const source = SOURCES.find((one) => one.name === name)
  if (source === undefined) {
    throw new KtError('KT6408', `there is no source "${name}"`, {
      fix: `Sources are ${SOURCES.map((one) => one.name).join(', ')}.`,
    })
  }
  const channels = options.channels.split(',')
  for (const channel of channels) {
    if (channel in source.channels) continue
    throw new KtError('KT6409', `${name} has no channel "${channel}"`, {
      where: '--channels',
      fix: `It has ${Object.keys(source.channels).join(', ')}.`,
    })
  }
  const clock = systemClock()
  const capture = openCapture({ folder: madeFolder(options.out, '--out') }, source)
  const host: SourceHost = {
    clock,
    random: { below: (n) => Math.floor(Math.random() * n) },
    net: openVenueNet(clock),
    mapping: loadMapping,
    frame: capture.frame,
    system: capture.system,
    note: (level, what, facts) => {
      if (level !== 'warn' || options.quiet === true) return
      say(options.json === true ? JSON.stringify({ what, ...facts }) : noteText(what, facts))
    },
  }
  const [socket, rest] = options.endpoint?.split(',') ?? []
  const endpoint = socket === undefined || rest === undefined ? undefined : { socket, rest }
  const opened = source.open(host, {
    channels,
    universe: { pairs: options.pairs.split(',') },
    endpoint,
    owns: () => true,
  })
  const stopped = new AbortController()
  process.once('SIGINT', () => stopped.abort())
  await pause(durationMs(options.for, '--for'), undefined, { signal: stopped.signal }).catch(() => {})
  opened.close()
  await capture.close()
  const { frames, bytes, files } = capture.counts
  if (options.json === true) printJson(capture.counts)
  else {
    print(`${frames} messages, ${bytes} bytes, ${files} file${files === 1 ? '' : 's'} in ${options.out}`)
    if (frames > 0 && options.quiet !== true) say(`next:  ${command()} replay ${options.out}`)
  }
  return capture.counts.frames > 0 ? EXIT.ok : EXIT.unreachable
}
