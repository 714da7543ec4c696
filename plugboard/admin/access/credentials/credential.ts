// The credential of a request: an API key, the code of a one-time link, or the cookie of a dashboard session. An Authorization field
// wins over the cookie.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { repeatsField } from '@vera-stack/shared/http/headers.ts'
import type { Context } from 'hono'
import type { AdminEnv } from '../../admin-env.ts'
import { RequestError } from '../../http/problem.ts'
import { type DashboardSessions, SESSION_PATH, type Session } from '../../session/dashboard-sessions.ts'
import { CODE_PREFIX } from '../../session/login-links.ts'
import { sessionOf } from './session-credential.ts'

export type Credential =
  /** Not checked yet. */
  | { readonly kind: 'key'; readonly key: string }
  /** Not checked yet. It can only start a session. */
  | { readonly kind: 'link'; readonly code: string }
  /** The signature of the cookie is valid, and a page of the dashboard sent it. */
  | { readonly kind: 'session'; readonly session: Session }

/** Throws `unauthorized`; `invalid_request` for two Authorization fields; `forbidden` for a cookie from another page. */
export function credentialOf(c: Context<AdminEnv>, sessions: DashboardSessions): Credential {
  if (repeatsField(c.env?.incoming?.rawHeaders ?? [], 'authorization')) {
    const detail = 'The request has more than one Authorization field. Send one API key.'
    throw new RequestError('invalid_request', detail, [{ header: 'Authorization', detail }])
  }
  const header = c.req.header('authorization')
  if (header === undefined && c.get('embeddingOrigin') !== undefined)
    throw new VeraError('unauthorized', 'Elements in other pages send Authorization: Bearer <API key>.')
  if (header === undefined) return { kind: 'session', session: sessionOf(c.req, sessions) }
  const match = /^bearer +([^\s]+)$/i.exec(header.trim())
  if (match?.[1] === undefined) throw new VeraError('unauthorized', 'The Authorization scheme is Bearer.')
  const isLink = match[1].startsWith(CODE_PREFIX) && startsSession(c)
  return isLink ? { kind: 'link', code: match[1] } : { kind: 'key', key: match[1] }
}

const startsSession = ({ req }: Context<AdminEnv>): boolean =>
  req.method === 'POST' && req.path === SESSION_PATH
