import { HostError } from '../../graph/error.ts'
import type { Fault } from '../socket-frame.ts'

/** The server broke the protocol, or sent more than it may. */
export const broken = (origin: string, { code, reason }: Fault): HostError =>
  new HostError('KT2307', reason, {
    where: origin,
    fix:
      code === 1009
        ? 'Raise the limit if such messages are to be expected.'
        : 'If it goes on, record the bytes: the server or something in between is at fault.',
    facts: { code },
    retry: { afterMs: 1_000 },
  })

/** The connection ended without a close frame. */
export const lost = (origin: string, cause: unknown): HostError => {
  const { message, code = '' } = cause as NodeJS.ErrnoException
  return new HostError('KT2308', message || code, {
    where: origin,
    fix: 'A network or a server that goes down looks like this: connect again.',
    retry: 'now',
    cause,
  })
}

/** More waits to be sent than may. */
export const overflown = (origin: string, bytesMax: number): HostError =>
  new HostError('KT2309', `more than ${bytesMax} bytes would wait to be sent`, {
    where: origin,
    fix: 'The server does not read, or too much is sent at once: send less, or allow more.',
    retry: 'now',
  })

export const unsendable = (code: number): HostError =>
  new HostError('KT2301', `close code ${code} may not be sent`, {
    fix: 'Use 1000 or 3000 to 4999.',
    retry: 'never',
  })
