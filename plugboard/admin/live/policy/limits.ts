// Lists the rate limits of routes and services with their decisions on all replicas. Works without the database.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { storedText } from '../../../database/store/values/stored-text.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { limitPageSchema } from '../../bodies/policy/limit.ts'
import { json, LINK_HEADER, operation } from '../../http/openapi.ts'
import { pageBody, pageQuery } from '../../http/page.ts'

const limitsOperation = operation(
  { permission: 'status:read', fails: ['not_found'] },
  {
    method: 'get',
    path: '/v1/limits',
    operationId: 'listLimits',
    tags: ['status'],
    summary: 'List the rate limits of routes and services, with their decisions on all replicas',
    description: 'A page has at most 100 limits.',
    request: {
      query: z.strictObject({
        ...pageQuery,
        service: storedText(0, 63, 'shop').optional().openapi({
          description: 'Name or id of a service: only its limits, and the limits of its routes.',
        }),
        route: storedText(0, 1300, 'api.example.com').optional().openapi({
          description: 'Mount or id of a route: only its limits, and the limits of its service.',
        }),
      }),
    },
    responses: {
      200: {
        ...json(limitPageSchema, 'A page of limits.'),
        headers: LINK_HEADER,
      },
    },
  },
)

export function addLimitOperations(app: OpenAPIHono<AdminEnv>, { limitView }: AdminDependencies): void {
  app.openapi(limitsOperation, async c => {
    const { page, shares, missing } = await limitView.list(c.req.valid('query'))
    return c.json({ ...pageBody(c, page, row => row), shares, missingReplicas: missing }, 200)
  })
}
