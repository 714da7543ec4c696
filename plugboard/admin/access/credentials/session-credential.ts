// The cookie of a dashboard session. A browser sends it on its own, also for pages of the same host on another port, such as a backend on
// the public port: SameSite=Strict does not separate ports. So the cookie counts only in requests whose fields show that a page of this
// origin sent them. A page cannot set these fields.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { HonoRequest } from 'hono'
import { SECURE_SESSION_COOKIE, SESSION_COOKIE, sessionCookies } from '../../../common/http/session-cookie.ts'
import type { DashboardSessions, Session } from '../../session/dashboard-sessions.ts'
import { isLoopbackName } from '../loopback.ts'
import { hostnameOf } from '../request-guard.ts'

/** Methods that change no row. A browser sends them without Origin. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

type Fields = Pick<HonoRequest, 'header' | 'method' | 'url'>

/** Returns the session. Throws `unauthorized` without a valid cookie, and `forbidden` for a request of another page. */
export function sessionOf(req: Fields, sessions: DashboardSessions): Session {
  const field = req.header('cookie') ?? ''
  const all = [SECURE_SESSION_COOKIE, SESSION_COOKIE].flatMap(name => sessionCookies(field, name))
  if (all.length === 0) throw new VeraError('unauthorized', 'Send Authorization: Bearer <API key>.')
  refuseOtherPages(req)
  for (const name of acceptedNames(req)) {
    for (const value of sessionCookies(field, name)) {
      const session = sessions.open(value)
      if (session !== undefined) return session
    }
  }
  throw new VeraError('unauthorized', 'The session of the dashboard has ended. Log in again.')
}

/**
 * Over https, only the cookie with the prefix `__Host-` counts: a page on plain http of the same host can set the other one, and would
 * replace the session by its own.
 */
function acceptedNames(req: Fields): readonly string[] {
  const page = pageOf(req)
  if (page === undefined) {
    // Sec-Fetch-Site has shown that the page is of this origin. Browsers send this field over https, and over http to loopback names.
    const isHttpPossible = isLoopbackName(hostnameOf(hostOf(req)))
    return isHttpPossible ? [SECURE_SESSION_COOKIE, SESSION_COOKIE] : [SECURE_SESSION_COOKIE]
  }
  return [page.protocol === 'https:' ? SECURE_SESSION_COOKIE : SESSION_COOKIE]
}

/** request-guard.ts has compared Origin with Host when Origin is present. */
function refuseOtherPages(req: Fields): void {
  const site = req.header('sec-fetch-site')
  // Browsers send Sec-Fetch-Site over https, and over http to loopback names only. The pages of this port have the
  // Referrer-Policy same-origin, so the other requests have Referer.
  const isOwn = site === undefined ? pageOf(req)?.host === hostOf(req).toLowerCase() : site === 'same-origin'
  if (isOwn && (SAFE_METHODS.has(req.method) || req.header('origin') !== undefined)) return
  throw new VeraError(
    'forbidden',
    'The session of the dashboard works only in requests of the dashboard. Over http, the browser must send Referer to the same origin.',
  )
}

/** Returns the page that sent the request, by Origin or Referer. Undefined: the request has neither, or they are malformed. */
function pageOf(req: Fields): URL | undefined {
  return URL.parse(req.header('origin') ?? req.header('referer') ?? '') ?? undefined
}

const hostOf = (req: Fields): string => req.header('host') ?? new URL(req.url).host
