import type { Random } from '../graph/port.ts'

/** Why a connection or a request did not come to anything, as far as it says how long to wait. */
interface Refusal {
  /** The HTTP status, or the close code of a WebSocket; 0 when nothing answered. */
  readonly status: number
  /** What the venue asked for, seconds; 0 when it did not. */
  readonly retryAfterS: number
}

const MINUTE = 60_000

/** Milliseconds to wait at least after a refusal; the venue's own word counts where it gave one. */
const leastMs = ({ status, retryAfterS }: Refusal): number => {
  if (retryAfterS > 0) return retryAfterS * 1000
  if (status === 418) return 5 * MINUTE
  if (status === 429) return MINUTE
  // Bybit bans an address for ten minutes by 403, and both firewalls use it; 451 is the law of a place.
  return status === 403 || status === 451 ? 10 * MINUTE : 0
}

/**
 * Milliseconds until try number `tries` (from 0): doubling to a minute, half of it by chance so that many do
 * not come at once.
 */
export const waitMs = (tries: number, refusal: Refusal, random: Random): number => {
  const most = Math.min(MINUTE, 500 * 2 ** Math.min(tries, 10))
  return Math.max(leastMs(refusal), most / 2 + random.below(Math.ceil(most / 2)))
}

/**
 * What a person can do about a refusal; empty where waiting is all there is. One silence is none to speak of.
 */
export const remedy = ({ status }: Refusal, tries: number): string => {
  if (status === 0 && tries < 2) return ''
  switch (status) {
    case 451:
      return 'The venue does not serve this place: run kt elsewhere, or give another address.'
    case 403:
      return 'The firewall of the venue refuses this address: wait ten minutes, or use another.'
    case 418:
      return 'The address is banned for asking too much: wait, and let fewer shards share it.'
    case 429:
      return 'Too much was asked from this address: kt waits. Let fewer programs share the address.'
    case 0:
      return 'Nothing answered: look at the network, DNS and proxy of this machine.'
    default:
      return ''
  }
}
