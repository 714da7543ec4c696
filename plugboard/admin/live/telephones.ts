// The list of connected telephones in the whole cluster, with one row for each tunnel. Works without the database.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { storedText } from '../../database/store/values/stored-text.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { telephonePageSchema } from '../bodies/telephone.ts'
import { json, LINK_HEADER, operation } from '../http/openapi.ts'
import { pageBody, pageQuery } from '../http/page.ts'

const telephonesOperation = operation(
  { permission: 'status:read' },
  {
    method: 'get',
    path: '/v1/telephones',
    operationId: 'listTelephones',
    tags: ['status'],
    summary: 'List the tunnels of telephones on all replicas, by name',
    request: {
      query: z.strictObject({
        ...pageQuery,
        service: storedText(0, 63, 'shop')
          .optional()
          .openapi({ description: 'Only telephones that serve this service.' }),
        name: storedText(0, 255).optional().openapi({ description: 'Only the telephone with this name.' }),
      }),
    },
    responses: {
      200: {
        ...json(telephonePageSchema, 'A page of tunnels.'),
        headers: LINK_HEADER,
      },
    },
  },
)

export function addTelephoneOperations(app: OpenAPIHono<AdminEnv>, { cluster }: AdminDependencies): void {
  app.openapi(telephonesOperation, async c => {
    const { page, missing } = await cluster.telephones(c.req.valid('query'))
    return c.json({ ...pageBody(c, page, row => row), missingReplicas: missing }, 200)
  })
}
