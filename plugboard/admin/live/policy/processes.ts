// Lists the processes of a service with their state on all replicas. Works without the database.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { storedText } from '../../../database/store/values/stored-text.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { serviceProcessesSchema } from '../../bodies/policy/service-processes.ts'
import { json, operation } from '../../http/openapi.ts'

const processesOperation = operation(
  { permission: 'status:read', fails: ['not_found'] },
  {
    method: 'get',
    path: '/v1/services/{id}/processes',
    operationId: 'listServiceProcesses',
    tags: ['status'],
    summary:
      'List the telephone processes of a service, with the state of its traffic policy on all replicas',
    request: {
      params: z.object({
        id: storedText(1, 63, 'shop').openapi({
          description: 'The name or the id of the service.',
          example: 'shop',
        }),
      }),
    },
    responses: {
      200: json(serviceProcessesSchema, 'The processes, and the state of the policy on each replica.'),
    },
  },
)

export function addProcessOperations(app: OpenAPIHono<AdminEnv>, { processView }: AdminDependencies): void {
  app.openapi(processesOperation, async c => c.json(await processView.of(c.req.valid('param').id), 200))
}
