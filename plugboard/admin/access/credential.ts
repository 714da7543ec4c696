// The credential of a request: an API key, the code of a one-time link, or the cookie of a dashboard session. A browser sends
// the cookie on its own, so it counts only in requests from the dashboard itself. An Authorization field wins over the cookie.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { repeatsField } from '@vera-stack/shared/http/headers.ts'
import type { Context } from 'hono'
import { sessionCookies } from '../../common/http/session-cookie.ts'
import type { AdminEnv } from '../admin-env.ts'
import { RequestError } from '../http/problem.ts'
import { type DashboardSessions, SESSION_PATH, type Session } from '../session/dashboard-sessions.ts'
import { CODE_PREFIX } from '../session/login-links.ts'

export type Credential =
  /** Not checked yet. */
  | { readonly kind: 'key'; readonly key: string }
  /** Not checked yet. It can only start a session. */
  | { readonly kind: 'link'; readonly code: string }
  /** The signature of the cookie is valid. */
  | { readonly kind: 'session'; readonly session: Session }

/** Methods that change no state. A browser sends them without Origin. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Throws `unauthorized`; `invalid_request` for two Authorization fields; `forbidden` for a cookie from another page. */
export function credentialOf(c: Context<AdminEnv>, sessions: DashboardSessions): Credential {
  if (repeatsField(c.env?.incoming?.rawHeaders ?? [], 'authorization')) {
    const detail = 'The request has more than one Authorization field. Send one API key.'
    throw new RequestError('invalid_request', detail, [{ header: 'Authorization', detail }])
  }
  const header = c.req.header('authorization')
  if (header === undefined) return { kind: 'session', session: sessionOf(c, sessions) }
  const match = /^bearer +([^\s]+)$/i.exec(header.trim())
  if (match?.[1] === undefined) throw new VeraError('unauthorized', 'The Authorization scheme is Bearer.')
  const isLink = match[1].startsWith(CODE_PREFIX) && startsSession(c)
  return isLink ? { kind: 'link', code: match[1] } : { kind: 'key', key: match[1] }
}

const startsSession = ({ req }: Context<AdminEnv>): boolean =>
  req.method === 'POST' && req.path === SESSION_PATH

function sessionOf(c: Context<AdminEnv>, sessions: DashboardSessions): Session {
  const values = sessionCookies(c.req.header('cookie') ?? '')
  if (values.length === 0) throw new VeraError('unauthorized', 'Send Authorization: Bearer <API key>.')
  refuseOtherPages(c)
  for (const value of values) {
    const session = sessions.open(value)
    if (session !== undefined) return session
  }
  throw new VeraError('unauthorized', 'The session of the dashboard has ended. Log in again.')
}

/**
 * SameSite=Strict does not stop pages of the same host on another port, such as a backend on the public port. request-guard.ts
 * has compared Origin with Host when Origin is present.
 */
function refuseOtherPages({ req }: Context<AdminEnv>): void {
  const site = req.header('sec-fetch-site')
  const isOwn = site === undefined || site === 'same-origin' || site === 'none'
  if (isOwn && (SAFE_METHODS.has(req.method) || req.header('origin') !== undefined)) return
  throw new VeraError('forbidden', 'The session of the dashboard works only in requests of the dashboard.')
}
