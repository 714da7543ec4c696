// The history of tunnels, and the disconnect of a telephone, over HTTP. Both work without the database, apart from the key.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { AdminKey } from '../../../database/store/store.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'
import type { ListedTelephone } from '../../../telephones/listed-telephone.ts'
import { refuseBeyondLimits } from '../../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import type { MissingReplicas } from '../../bodies/replica.ts'
import { disconnectedSchema, tunnelHistorySchema } from '../../bodies/tunnel-events.ts'
import { json, operation } from '../../http/openapi.ts'
import { flagQuery } from '../../http/page.ts'

/** Tunnels of one page of the list. */
const PAGE_TUNNELS = 500

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
    const { tunnels, missing } = await allTunnels(cluster, telephone)
    refuseDisconnect(c.get('key'), tunnels, missing)
    if (c.req.valid('query').dryRun === true)
      return c.json({ tunnels: tunnels.length, missingReplicas: missing }, 200)
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

interface KnownTunnels {
  readonly tunnels: readonly ListedTelephone[]
  readonly missing: MissingReplicas
}

/** Resolves with all tunnels of a telephone, over all pages. */
async function allTunnels(cluster: AdminDependencies['cluster'], name: string): Promise<KnownTunnels> {
  const tunnels: ListedTelephone[] = []
  const missing = new Map<string, MissingReplicas[number]>()
  let cursor: string | undefined
  do {
    const read = await cluster.telephones({ name, limit: PAGE_TUNNELS, cursor })
    tunnels.push(...read.page.items)
    for (const replica of read.missing) missing.set(replica.id, replica)
    cursor = read.page.nextCursor
  } while (cursor !== undefined)
  return { tunnels, missing: [...missing.values()] }
}

/**
 * Throws `forbidden` for a tunnel beyond the limits of the key. A replica that did not list its tunnels could still close them, so a
 * key with limits needs the lists of all replicas.
 */
function refuseDisconnect(
  key: Pick<AdminKey, 'limits'>,
  tunnels: readonly ListedTelephone[],
  missing: MissingReplicas,
): void {
  const services = tunnels.flatMap(tunnel => tunnel.services)
  refuseBeyondLimits(key, {
    services: services.map(({ service }) => service),
    mounts: services.flatMap(({ mounts }) => mounts),
  })
  if (key.limits === null || missing.length === 0) return
  const ids = missing.map(({ id }) => id).join(', ')
  throw new VeraError(
    'forbidden',
    `The limits of your key cannot be checked, because the tunnels on ${ids} are not known. Try again later, or use a key without limits.`,
  )
}
