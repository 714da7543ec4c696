// `/` of the admin port: a browser gets the dashboard, and a program gets a small index. Accept decides. It needs no credential.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { prefersHtml } from '../common/http/prefers-html.ts'
import type { AdminDependencies, AdminEnv } from './admin-env.ts'
import { json, problems } from './http/openapi.ts'
import { DASHBOARD_PATH } from './session/dashboard-sessions.ts'

const LINKS = {
  dashboard: DASHBOARD_PATH,
  reference: '/reference',
  openapi: '/openapi.json',
  ready: '/readyz',
  live: '/livez',
  jwks: '/.well-known/jwks.json',
} as const

const indexSchema = z
  .strictObject({
    name: z.literal('plugboard'),
    version: z.string(),
    status: z.enum(['loading', 'ready', 'recovering', 'draining']),
    links: z.strictObject({
      dashboard: z.string(),
      reference: z.string(),
      openapi: z.string(),
      ready: z.string(),
      live: z.string(),
      jwks: z.string(),
    }),
  })
  .openapi('Index')

export function addIndexPage(
  app: OpenAPIHono<AdminEnv>,
  deps: Pick<AdminDependencies, 'version' | 'phase'>,
): void {
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/',
    operationId: 'index',
    tags: ['health'],
    summary: 'Describe this server: the dashboard for browsers, an index for programs',
    security: [],
    responses: {
      200: json(indexSchema, 'By Accept; JSON is the default.'),
      302: { description: 'For browsers. Location is the dashboard, with the query of the request.' },
      ...problems('forbidden'),
    },
  })
  app.get('/', c => {
    c.header('Vary', 'Accept')
    if (prefersHtml(c.req.header('accept'))) return c.redirect(DASHBOARD_PATH + new URL(c.req.url).search)
    return c.json({ name: 'plugboard', version: deps.version, status: deps.phase(), links: LINKS })
  })
}
