// The first middleware of the admin port: sets the request id and the security headers, and rejects requests that foreign web
// pages send through a browser on this machine.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Context, MiddlewareHandler } from 'hono'
import { looksLikeRequestId } from '../../common/http/request-id.ts'
import { UuidV7 } from '../../common/ids/uuid-v7.ts'
import type { AdminEnv } from '../admin-env.ts'
import { allowOrigin, isEmbedded, isPreflight, preflightResponse, varyByOrigin } from './embedding.ts'
import { isLoopback } from './loopback.ts'

const SECURITY_HEADERS = {
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  // The check of the session reads Referer of requests of the own pages (credentials/session-credential.ts).
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
} as const

const FOREIGN =
  'Requests from other web sites are refused. Send the request from a program, without Origin. For the elements of the ' +
  'dashboard in another page, add the origin of this page to the setting dashboardOrigins.'

export function requestGuard(options: {
  readonly log: Logger
  readonly allowedHosts: ReadonlySet<string> | undefined
  /** Pages of these origins may use the elements of the dashboard. */
  readonly embeddingOrigins: ReadonlySet<string>
}): MiddlewareHandler<AdminEnv> {
  const requestIds = new UuidV7()
  const { embeddingOrigins } = options
  return async (c, next): Promise<Response | undefined> => {
    const given = c.req.header('x-request-id')
    const requestId = given !== undefined && looksLikeRequestId(given) ? given : requestIds.next()
    c.set('requestId', requestId)
    c.set('log', options.log.child({ requestId, method: c.req.method, path: c.req.path }))
    c.header('X-Request-ID', requestId)
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value)
    if (embeddingOrigins.size > 0) varyByOrigin(c)

    const host = c.req.header('host') ?? new URL(c.req.url).host
    // Only a client of HTTP/1.0, such as a probe of a load balancer, sends no Host. A browser always sends it.
    const { headers } = c.env?.incoming ?? {}
    const named = headers === undefined || headers.host !== undefined
    if (named && options.allowedHosts !== undefined && !options.allowedHosts.has(hostnameOf(host))) {
      // DNS rebinding: a page of evil.example, whose name now resolves to 127.0.0.1, still sends evil.example in Host.
      const detail = 'This Host is not allowed. Add it to the setting adminHosts.'
      throw new VeraError('forbidden', detail)
    }
    const origin = c.req.header('origin')
    const crossSite = c.req.header('sec-fetch-site') === 'cross-site' && !opensPage(c)
    if (crossSite || (origin !== undefined && !sameHost(origin, host))) {
      if (origin === undefined || !isEmbedded(c, embeddingOrigins)) throw new VeraError('forbidden', FOREIGN)
      allowOrigin(c, origin)
      c.set('embeddingOrigin', origin)
      if (isPreflight(c.req)) return preflightResponse(c)
    }
    await next()
    return undefined
  }
}

/** Pages that change no state when they are opened. Any web site may link to them. */
const LINKED_PAGES: readonly string[] = ['/', '/reference', '/dashboard']

/** True when a link opens one of these pages. */
function opensPage({ req }: Context<AdminEnv>): boolean {
  const isPage = LINKED_PAGES.includes(req.path) || req.path.startsWith('/dashboard/')
  return isPage && req.method === 'GET' && req.header('sec-fetch-mode') === 'navigate'
}

const sameHost = (origin: string, host: string): boolean =>
  URL.canParse(origin) && new URL(origin).host.toLowerCase() === host.toLowerCase()

/** Returns the host without port and brackets. */
export function hostnameOf(host: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host)
  return (match?.[1] ?? match?.[2] ?? '').toLowerCase().replace(/\.$/, '')
}

/** Returns the accepted hosts: the configured ones; else localhost, if the API listens there; else undefined for any host. */
export function allowedHosts(
  listenHost: string | undefined,
  configured: readonly string[],
): ReadonlySet<string> | undefined {
  const loopback = listenHost === 'localhost' || isLoopback(listenHost ?? '')
  if (!loopback && configured.length === 0) return undefined
  const own = loopback ? ['localhost', '127.0.0.1', '::1', listenHost ?? ''] : [listenHost ?? '']
  return new Set([...own, ...configured.map(hostnameOf)].filter(host => host !== ''))
}
