// The state of all replicas and their differences over HTTP. Works without the database.

import type { OpenAPIHono } from '@hono/zod-openapi'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { clusterStatusSchema } from '../../bodies/cluster-status.ts'
import { json, operation } from '../../http/openapi.ts'

const clusterStatusOperation = operation(
  { permission: 'status:read' },
  {
    method: 'get',
    path: '/v1/cluster/status',
    operationId: 'getClusterStatus',
    tags: ['status'],
    summary: 'Read the state of all replicas, their links, their certificates and their differences',
    description:
      'Each replica sends its own state, and this takes 2 s at most. A replica of an older version is listed in `missingReplicas`.',
    responses: { 200: json(clusterStatusSchema, 'The replica that responds is the first item.') },
  },
)

export function addClusterOperations(
  app: OpenAPIHono<AdminEnv>,
  { clusterState }: Pick<AdminDependencies, 'clusterState'>,
): void {
  app.openapi(clusterStatusOperation, async c => c.json(await clusterState.read(), 200))
}
