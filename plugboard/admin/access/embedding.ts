// Requests of the elements of the dashboard (dashboard/elements/) in pages of other origins. Only the origins of the setting
// dashboardOrigins may send them, only to these paths, and only with an API key that cannot write.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import type { AdminKey } from '../../database/store/store.ts'
import type { AdminEnv } from '../admin-env.ts'

/** The script, and the paths that its elements read. */
const EMBEDDED_PATHS: ReadonlySet<string> = new Set([
  '/dashboard/elements.js',
  '/v1/live',
  '/v1/outages',
  '/v1/replicas',
  '/v1/status',
  '/v1/telephones',
  '/v1/traffic',
])
/** How long a browser keeps the response to a preflight, s. */
const PREFLIGHT_AGE = '600'

/** True when the origin may send this request. The comparison is exact, because browsers send origins in one form only. */
export function isEmbedded({ req }: Context<AdminEnv>, origins: ReadonlySet<string>): boolean {
  const origin = req.header('origin')
  if (origin === undefined || !origins.has(origin) || !EMBEDDED_PATHS.has(req.path)) return false
  return (isPreflight(req) ? req.header('access-control-request-method') : req.method) === 'GET'
}

/** Sets the header fields by which the browser gives the response to the page. They permit no cookies. */
export function allowOrigin(c: Context<AdminEnv>, origin: string): void {
  c.header('Access-Control-Allow-Origin', origin)
  c.header('Cross-Origin-Resource-Policy', 'cross-origin')
}

/** Responses of these paths depend on the origin, so a cache must not use one for another origin. */
export function varyByOrigin(c: Context<AdminEnv>): void {
  if (EMBEDDED_PATHS.has(c.req.path)) c.header('Vary', 'Origin', { append: true })
}

export const isPreflight = (request: Context<AdminEnv>['req']): boolean =>
  request.method === 'OPTIONS' && request.header('access-control-request-method') !== undefined

/** Returns the response to a preflight of an accepted request. */
export function preflightResponse(c: Context<AdminEnv>): Response {
  c.header('Access-Control-Allow-Methods', 'GET')
  c.header('Access-Control-Allow-Headers', 'Authorization')
  c.header('Access-Control-Max-Age', PREFLIGHT_AGE)
  return c.body(null, 204)
}

/** Throws `forbidden` when the key could do more than read: all scripts of the embedding page can use it. */
export function refuseMoreThanReading({ scopes }: Pick<AdminKey, 'scopes'>): void {
  const other = scopes.find(scope => !scope.endsWith(':read'))
  if (other === undefined) return
  throw new VeraError(
    'forbidden',
    `The API key has the scope ${other}, and a page of another origin may only read. ` +
      'Create a key with the scope status:read for this page: POST /v1/keys.',
  )
}
