import { setGlobalProxyFromEnv } from 'node:http'
import type { Clock, Net } from '../../graph/port.ts'
import { openNet } from './net.ts'
import { checkProxy } from './websocket-dial.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The proxy of an address by the variables that other programs obey too: `https_proxy` for `wss:`,
 * `http_proxy` for `ws:`, and `no_proxy`, hosts parted by commas that are reached directly: `*` is all,
 * `.example.org` and `*.example.org` are all hosts below it. Small letters go before capital ones. Throws
 * HostError KT2301 when it is no HTTP proxy.
 */
export const proxyFrom = (environment: Environment): ((url: string) => string | undefined) => {
  const said = (name: string): string => environment[name] || environment[name.toUpperCase()] || ''
  const direct = said('no_proxy')
    .split(',')
    .map((one) => one.trim().toLowerCase())
    .filter((one) => one !== '')
  for (const proxy of [said('https_proxy'), said('http_proxy')]) if (proxy !== '') checkProxy(proxy)
  return (url) => {
    const { hostname, host, protocol } = new URL(url)
    const excluded = direct.some((one) => {
      const below = one.replace(/^\*?\./, '.')
      return (
        one === '*' || one === hostname || one === host || (below.startsWith('.') && hostname.endsWith(below))
      )
    })
    return excluded ? undefined : said(protocol === 'wss:' ? 'https_proxy' : 'http_proxy') || undefined
  }
}

/** All REST of this process goes the same way; the returned function ends that. */
export const proxyRest = (environment: Environment): (() => void) =>
  setGlobalProxyFromEnv(environment as NodeJS.ProcessEnv)

/** The way to real venues, as the environment says. */
export const openVenueNet = (clock: Pick<Clock, 'now'>): Net => {
  proxyRest(process.env)
  return openNet({ clock, proxy: proxyFrom(process.env) })
}
