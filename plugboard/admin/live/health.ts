// Probes of supervisors and load balancers: /livez shows that the event loop runs, /readyz shows that the replica accepts
// requests. Ready means that the first routing table is loaded, from the database or a snapshot, and that the process does not
// recover from a suspension. A database that becomes unavailable later does not change the state. Probes need no credential
// and reveal no details.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { PHASES } from '../../common/phase.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { json, problems } from '../http/openapi.ts'

const tags = ['health']

export function addHealth(app: OpenAPIHono<AdminEnv>, { phase }: AdminDependencies): void {
  const live = z.strictObject({ status: z.literal('live') })
  const ready = z.strictObject({ status: z.enum(PHASES) })
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/livez',
    operationId: 'live',
    tags,
    summary: 'Check that the process runs',
    security: [],
    responses: { 200: json(live, 'The process runs.'), ...problems('forbidden') },
  })
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/readyz',
    operationId: 'ready',
    tags,
    summary: 'Check that this replica accepts requests',
    security: [],
    responses: {
      200: json(ready, 'The replica accepts requests.'),
      503: json(ready, 'The replica is starting, recovering from a suspension, or draining.'),
      ...problems('forbidden'),
    },
  })
  app.get('/livez', c => c.json({ status: 'live' }))
  app.get('/readyz', c => {
    const status = phase()
    return c.json({ status }, status === 'ready' ? 200 : 503)
  })
}
