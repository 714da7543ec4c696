// The operations of dashboard sessions. A session starts with an API key or with a one-time link, and is a cookie of the browser.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import { SECURE_SESSION_COOKIE, SESSION_COOKIE } from '../../common/http/session-cookie.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { json, operation } from '../http/openapi.ts'
import { loginPath, SESSION_PATH } from './dashboard-sessions.ts'

const sessionSchema = z
  .strictObject({
    key: z.strictObject({ id: z.string(), name: z.string(), scopes: z.array(z.string()) }),
    expiresAt: z.iso
      .datetime()
      .nullable()
      .openapi({ description: 'The end of the session. Null: the request had an API key.' }),
    replicaId: z.string().openapi({ description: 'The replica that responds.' }),
    version: z.string().openapi({ description: 'The version of Plugboard.' }),
    plugboardUrl: z.string().openapi({ description: 'The URL at which telephones reach this Plugboard.' }),
    environment: z
      .strictObject({ name: z.string(), color: z.string() })
      .nullable()
      .openapi({ description: 'The settings `environmentName` and `environmentColor`.' }),
  })
  .openapi('Session')

export type SessionBody = z.output<typeof sessionSchema>

const linkSchema = z
  .strictObject({
    path: z.string().openapi({
      description:
        'Path of the dashboard, with a code that starts one session with the API key of this request.',
      example: '/dashboard/#code=vsl_…',
    }),
    expiresAt: z.iso.datetime(),
  })
  .openapi('LoginLink')

export type LoginLinkBody = z.output<typeof linkSchema>

const tags = ['session']
const EVERY_KEY = { text: 'Every key may do this.' }
const SET_COOKIE = {
  'Set-Cookie': {
    description: 'The cookie of the session, with HttpOnly and SameSite=Strict.',
    required: true,
    schema: { type: 'string' },
  },
} as const

const startOperation = operation(
  { permission: EVERY_KEY },
  {
    method: 'post',
    path: SESSION_PATH,
    operationId: 'startSession',
    tags,
    summary: 'Start a session of the dashboard',
    description:
      'Send an API key, or the code of a one-time link, as `Authorization: Bearer`. A session lasts 12 hours, or until its key ' +
      'is revoked or expires. A session cannot start another one.',
    responses: { 201: { ...json(sessionSchema, 'The new session.'), headers: SET_COOKIE } },
  },
)
const readOperation = operation(
  { permission: EVERY_KEY },
  {
    method: 'get',
    path: SESSION_PATH,
    operationId: 'getSession',
    tags,
    summary: 'Read the key and the scopes of this request',
    responses: { 200: json(sessionSchema, 'The session, or the key.') },
  },
)
const endOperation = operation(
  { permission: EVERY_KEY },
  {
    method: 'delete',
    path: SESSION_PATH,
    operationId: 'endSession',
    tags,
    summary: 'End a session of the dashboard',
    description: 'Removes the cookie from the browser. To end all sessions of a key, revoke the key.',
    responses: { 204: { description: 'The browser removes the cookie.', headers: SET_COOKIE } },
  },
)
const linkOperation = operation(
  { permission: EVERY_KEY },
  {
    method: 'post',
    path: `${SESSION_PATH}/links`,
    operationId: 'createLoginLink',
    tags,
    summary: 'Create a one-time link to the dashboard',
    description:
      'The link works once, within an hour, and only on the replica that created it. Send an API key: a session cannot create a link.',
    responses: { 201: json(linkSchema, 'The link. Its code is shown only here.') },
  },
)

export function addSessionOperations(app: OpenAPIHono<AdminEnv>, deps: AdminDependencies): void {
  const { sessions, version, replicaId, environment } = deps
  const sessionBody = (c: Context<AdminEnv>, expiresAt: Date | undefined) => {
    const { id, name, scopes } = c.get('key')
    const key = { id, name, scopes: [...scopes] }
    return {
      key,
      expiresAt: expiresAt?.toISOString() ?? null,
      replicaId,
      version,
      plugboardUrl: deps.plugboardUrl(),
      environment: environment ?? null,
    }
  }
  app.openapi(startOperation, c => {
    refuseSession(c)
    const { prefix, expiresAt } = c.get('key')
    const { session, value } = sessions.start(prefix, expiresAt)
    const lifeMs = session.expiresAt.getTime() - deps.clock.wallTime()
    c.header('Set-Cookie', cookie(c, value, Math.max(0, Math.ceil(lifeMs / 1000))))
    return c.json(sessionBody(c, session.expiresAt), 201)
  })
  app.openapi(readOperation, c => c.json(sessionBody(c, c.get('session')?.expiresAt), 200))
  app.openapi(endOperation, c => {
    c.header('Set-Cookie', cookie(c, '', 0))
    return c.body(null, 204)
  })
  app.openapi(linkOperation, c => {
    refuseSession(c)
    const link = sessions.createLink(c.get('key').prefix)
    return c.json({ path: loginPath(link), expiresAt: link.expiresAt.toISOString() }, 201)
  })
}

/** Throws `forbidden` for a session. Otherwise a stolen cookie could be renewed without end. */
function refuseSession(c: Context<AdminEnv>): void {
  if (c.get('session') === undefined) return
  throw new VeraError('forbidden', 'A session cannot start another one. Send an API key.')
}

/** Returns Set-Cookie. A browser sends Origin with each POST and DELETE, and its scheme shows whether the browser uses https. */
function cookie(c: Context<AdminEnv>, value: string, maxAge: number): string {
  const isSecure = c.req.header('origin')?.toLowerCase().startsWith('https:') === true
  const name = isSecure ? SECURE_SESSION_COOKIE : SESSION_COOKIE
  const attributes = `Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Strict`
  return `${name}=${value}; ${attributes}${isSecure ? '; Secure' : ''}`
}
