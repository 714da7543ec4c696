// Lists the processes that passive ejection has taken out of the choice, on all replicas. Works without the database.

import type { OpenAPIHono } from '@hono/zod-openapi'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { ejectionsSchema } from '../../bodies/policy/ejection.ts'
import { json, operation } from '../../http/openapi.ts'

const ejectionsOperation = operation(
  { permission: 'status:read' },
  {
    method: 'get',
    path: '/v1/ejections',
    operationId: 'listEjections',
    tags: ['status'],
    summary:
      'List the processes, subsets and services to which replicas send no requests because of failures',
    responses: {
      200: json(
        ejectionsSchema,
        'Ejected processes with the counts of each service, stopped subsets, and open breakers.',
      ),
    },
  },
)

export function addEjectionOperations(app: OpenAPIHono<AdminEnv>, { cluster }: AdminDependencies): void {
  app.openapi(ejectionsOperation, async c => {
    const { missing, ...lists } = await cluster.ejections()
    return c.json({ ...lists, missingReplicas: missing }, 200)
  })
}
