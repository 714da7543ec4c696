// `GET /metrics`: the metrics of this replica, as text for Prometheus. The setting `metricsListen` serves the same text without a key.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { PROMETHEUS_TYPE } from '@vera-stack/shared/metrics/prometheus-text.ts'
import type { TypedResponse } from 'hono'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { operation } from '../http/openapi.ts'

const metricsOperation = operation(
  { permission: 'metrics:read' },
  {
    method: 'get',
    path: '/metrics',
    operationId: 'getMetrics',
    tags: ['status'],
    summary: 'Read the metrics of this replica',
    description: 'The text format of Prometheus (version 0.0.4), with gzip when the request accepts it.',
    responses: {
      200: {
        description: 'All metrics. docs/operating/metrics.md lists them.',
        content: { 'text/plain': { schema: z.string() } },
      },
    },
  },
)

export function addMetricsOperation(
  app: OpenAPIHono<AdminEnv>,
  { metrics }: Pick<AdminDependencies, 'metrics'>,
): void {
  app.openapi(metricsOperation, async c => {
    const { body, gzipped } = await metrics.scrape(c.req.header('accept-encoding'))
    const headers = {
      'content-type': PROMETHEUS_TYPE,
      vary: 'accept-encoding',
      ...(gzipped && { 'content-encoding': 'gzip' }),
    }
    return new Response(new Uint8Array(body), { headers }) as Response & TypedResponse<string, 200, 'text'>
  })
}
