// The history of tunnels, and the disconnect of a telephone, over HTTP. Both work without the database, apart from the key.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { storedText } from '../../../database/store/values/stored-text.ts'
import { refuseBeyondLimits } from '../../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import { disconnectedSchema, tunnelHistorySchema } from '../../bodies/tunnel-events.ts'
import { json, operation } from '../../http/openapi.ts'
import { flagQuery } from '../../http/page.ts'

const tags = ['status']
const name = storedText(1, 255, 'shop-1').openapi({ description: 'The name of the telephone.' })

const historyOperation = operation(
  { permission: 'status:read' },
  {
    method: 'get',
    path: '/v1/telephones/history',
    operationId: 'readTunnelHistory',
    tags,
    summary: 'Read when tunnels of telephones connected and disconnected, and why',
    description:
      'Each replica keeps the last 100 events of up to 1,000 names in memory. A restart of the replica deletes them.',
    request: { query: z.strictObject({ name: name.optional() }) },
    responses: { 200: json(tunnelHistorySchema, 'The history on all replicas.') },
  },
)
const disconnectOperation = operation(
  { permission: 'tokens:write' },
  {
    method: 'post',
    path: '/v1/telephones/{name}/disconnect',
    operationId: 'disconnectTelephone',
    tags,
    summary: 'Close all tunnels of a telephone on all replicas',
    description:
      'Open streams end. The telephone logs the reason and connects again within seconds. To keep it away, revoke its token. A ' +
      'telephone that is not connected is not an error.',
    request: {
      params: z.strictObject({ name }),
      query: z.strictObject({ dryRun: flagQuery('true: count the tunnels, and close none.') }),
    },
    responses: { 200: json(disconnectedSchema, 'The number of tunnels.') },
  },
)

export function addTunnelEventOperations(
  app: OpenAPIHono<AdminEnv>,
  { tunnelEvents, cluster }: Pick<AdminDependencies, 'tunnelEvents' | 'cluster'>,
): void {
  app.openapi(historyOperation, async c => c.json(await tunnelEvents.history(c.req.valid('query').name), 200))
  app.openapi(disconnectOperation, async c => {
    const { name: telephone } = c.req.valid('param')
    const { page, missing } = await cluster.telephones({ name: telephone, limit: 500 })
    const services = page.items.flatMap(tunnel => tunnel.services)
    refuseBeyondLimits(c.get('key'), {
      services: services.map(({ service }) => service),
      mounts: services.flatMap(({ mounts }) => mounts),
    })
    if (c.req.valid('query').dryRun === true)
      return c.json({ tunnels: page.items.length, missingReplicas: missing }, 200)
    const { name: keyName } = c.get('key')
    const result = await tunnelEvents.disconnect(
      telephone,
      `A person closed this tunnel with the API key "${keyName.slice(0, 100)}".`,
    )
    c.get('log').info('telephone disconnected by an operator', {
      telephoneId: telephone,
      count: result.tunnels,
    })
    return c.json(result, 200)
  })
}
