// The current state of this replica and of the replicas of the cluster, from memory. Works without the database.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { formatMount } from '@vera-stack/shared/mounts.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { failureBody } from '../bodies/failure.ts'
import { replicasSchema } from '../bodies/replica.ts'
import { type FailedServiceBody, MAX_LAST_ERRORS, statusSchema } from '../bodies/status.ts'
import { json, operation } from '../http/openapi.ts'

const tags = ['status']

const replicasOperation = operation(
  { permission: 'status:read' },
  {
    method: 'get',
    path: '/v1/replicas',
    operationId: 'listReplicas',
    tags,
    summary: 'List the replicas of this Plugboard',
    responses: {
      200: json(replicasSchema, 'All replicas, and the lines of each service by replica.'),
    },
  },
)
const statusOperation = operation(
  { permission: 'status:read' },
  {
    method: 'get',
    path: '/v1/status',
    operationId: 'getStatus',
    tags,
    summary: 'Read the state of this Plugboard',
    responses: { 200: json(statusSchema, 'Counts and states.') },
  },
)

export function addStatusOperations(app: OpenAPIHono<AdminEnv>, deps: AdminDependencies): void {
  const { store, directory, telephones, replicas } = deps
  app.openapi(replicasOperation, c => {
    const items = replicas.list()
    const missingReplicas = replicas.withoutLines()
    return c.json(
      { items, lines: replicas.lines(), missingReplicas, rebalance: { ...replicas.rebalance() } },
      200,
    )
  })
  app.openapi(statusOperation, async c => {
    const tunnels = telephones.list()
    return c.json(
      {
        version: deps.version,
        ready: deps.phase() === 'ready',
        draining: deps.phase() === 'draining',
        notifications: directory.notificationsArrive ? ('received' as const) : ('lost' as const),
        database: directory.databaseReachable ? ('reachable' as const) : ('unreachable' as const),
        tableSource: directory.source ?? null,
        appliedSequence: directory.appliedSequence,
        latestSequence: directory.databaseReachable ? await latest(c.get('log')) : null,
        routes: directory.routeCount,
        services: [...directory.services()].length,
        telephones: new Set(tunnels.map(({ instance }) => instance)).size,
        tunnels: tunnels.length,
        streams: tunnels.reduce((sum, { streams }) => sum + streams, 0),
        tokenRefusals: { ...telephones.tokenRefusals() },
        traffic: deps.traffic() ?? null,
        limits: deps.limits(),
        lastErrors: failedServices(),
        replicas: replicas.list(),
        lines: replicas.lines(),
      },
      200,
    )
  })

  function failedServices(): FailedServiceBody[] {
    const errors = deps.lastErrors(MAX_LAST_ERRORS)
    if (errors.length === 0) return []
    const names = new Map([...directory.services()].map(({ id, name }) => [id, name]))
    return errors.flatMap(([id, error]) => {
      const service = names.get(id)
      if (service === undefined) return [] // The service has been deleted.
      const route = directory.routesOfService(id).next().value
      const mount = route === undefined ? null : formatMount({ host: route.host, path: route.mountPath })
      return [{ service, mount, ...failureBody(error) }]
    })
  }

  async function latest(log: AdminEnv['Variables']['log']): Promise<number | null> {
    try {
      return await store.changes.latest()
    } catch (err) {
      log.debug('the latest change could not be read', { err })
      return null
    }
  }
}
