// For supervisors and load balancers: /livez says that the event loop turns, /readyz that requests are welcome.
// Ready means that the first table is loaded, from wherever, and that the process does not just come back from being away;
// a database that goes away later changes nothing.
// No credential, no details.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { json, problems } from '../http/openapi.ts'

const tags = ['health']

export function addHealth(app: OpenAPIHono<AdminEnv>, { phase }: AdminDependencies): void {
  const live = z.strictObject({ status: z.literal('live') })
  const ready = z.strictObject({ status: z.enum(['ready', 'loading', 'recovering', 'draining']) })
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/livez',
    operationId: 'live',
    tags,
    summary: 'Does the process run?',
    security: [],
    responses: { 200: json(live, 'It does.'), ...problems('forbidden') },
  })
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/readyz',
    operationId: 'ready',
    tags,
    summary: 'Does it want traffic?',
    security: [],
    responses: {
      200: json(ready, 'It does.'),
      503: json(ready, 'Not yet, or not any more.'),
      ...problems('forbidden'),
    },
  })
  app.get('/livez', c => c.json({ status: 'live' }))
  app.get('/readyz', c => {
    const status = phase()
    return c.json({ status }, status === 'ready' ? 200 : 503)
  })
}
