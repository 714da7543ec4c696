// The files of the dashboard on the admin port. They need no credential, like the source code: the page asks the API for all data,
// with the session of the person. Each path of the dashboard without a file is the same page, which shows the rest of the path.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import type { AdminEnv } from '../admin-env.ts'
import { DASHBOARD_PATH } from '../session/dashboard-sessions.ts'
import { DashboardFiles } from './dashboard-files.ts'

const PAGE = 'index.html'
/** The names in this folder have a hash of their content. */
const HASHED = 'assets/'

/** Nothing from other origins, no inline code or styles, and no text as code (Trusted Types). */
export const DASHBOARD_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/** `folder`: where the build has put the files. */
export function addDashboardPages(
  app: OpenAPIHono<AdminEnv>,
  folder: URL = new URL('../../dashboard/dist', import.meta.url),
): void {
  let reading: Promise<DashboardFiles | undefined> | undefined
  const files = async (): Promise<DashboardFiles> => {
    reading ??= DashboardFiles.read(folder)
    const found = await reading.catch(error => {
      reading = undefined
      throw error
    })
    if (found !== undefined) return found
    // The next request finds a build that was made in the meantime.
    reading = undefined
    throw new VeraError('not_found', 'The dashboard has not been built. Run "npm run build:dashboard".')
  }
  app.get('/dashboard', c => c.redirect(DASHBOARD_PATH))
  app.get(`${DASHBOARD_PATH}*`, async c => {
    const name = c.req.path.slice(DASHBOARD_PATH.length)
    return respond(c, await files(), name)
  })
}

function respond(c: Context<AdminEnv>, files: DashboardFiles, name: string): Response {
  const accepted = c.req.header('accept-encoding')
  const file = name === PAGE ? undefined : files.find(name, accepted)
  // A file with an old hash is gone: a page in its place would be read as a script.
  if (file === undefined && name.startsWith(HASHED)) {
    throw new VeraError(
      'not_found',
      'This file belongs to another version of the dashboard. Reload the page.',
    )
  }
  const { type, body, coding, etag } = file ?? files.find(PAGE, accepted)!
  c.header('ETag', etag)
  c.header('Vary', 'Accept-Encoding', { append: true })
  c.header('Content-Security-Policy', DASHBOARD_POLICY)
  c.header('Cache-Control', name.startsWith(HASHED) ? 'public, max-age=31536000, immutable' : 'no-cache')
  if (c.req.header('if-none-match') === etag) return c.body(null, 304)
  c.header('Content-Type', type)
  if (coding !== undefined) c.header('Content-Encoding', coding)
  return c.body(body)
}
