// This replica and the replicas of the cluster at this moment, from memory. Works without the database.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { formatMount } from '@vera-stack/shared/mounts.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { json, operation, timestamp } from '../http/operation.ts'
import { missingReplicasSchema } from './missing-replicas.ts'
import type { ReplicaStatus } from './telephone-directory.ts'
import { trafficBody, trafficSchema } from './traffic.ts'

const replicaSchema = z
  .strictObject({
    id: z.string().openapi({ description: 'Its name, unique in the cluster.' }),
    name: z.string(),
    address: z.string().openapi({ description: 'For other replicas; empty for one by itself.' }),
    publicUrl: z.string().nullable().openapi({ description: 'For telephones; null: they are not told.' }),
    state: z.enum(['ready', 'leaving', 'lost']),
    version: z.string(),
    startedAt: timestamp.nullable(),
    appliedSequence: z.int().nullable(),
    tunnels: z.int(),
    streams: z.int(),
    self: z.boolean(),
    link: z.enum(['open', 'accepted', 'none']).nullable().openapi({
      description:
        'open: dialled from here; accepted: only its own dial came through; null: this replica itself.',
    }),
    rttMs: z.number().nullable(),
    forwardedStreams: z.int().openapi({ description: 'On the links between the two, both ways.' }),
    leaseMs: z.int().nullable().openapi({ description: 'Left of its lease; at 0 its lines do not count.' }),
    lines: z.int(),
    disagreements: z.array(z.string()),
  })
  .openapi('Replica')

const replicaBody = (row: ReplicaStatus): z.infer<typeof replicaSchema> => ({
  id: row.id,
  name: row.name,
  address: row.address,
  publicUrl: row.publicUrl ?? null,
  state: row.state,
  version: row.version,
  startedAt: row.startedAt?.toISOString() ?? null,
  appliedSequence: row.appliedSequence ?? null,
  tunnels: row.tunnels,
  streams: row.streams,
  self: row.self,
  link: row.link ?? null,
  rttMs: row.rttMs ?? null,
  forwardedStreams: row.forwardedStreams,
  leaseMs: row.leaseMs === undefined ? null : Math.round(row.leaseMs),
  lines: row.lines,
  disagreements: [...row.disagreements],
})

const serviceLinesSchema = z
  .strictObject({ service: z.string(), replicas: z.record(z.string(), z.int()) })
  .openapi('ServiceLines')

/** Services whose last error the status shows. */
const MAX_LAST_ERRORS = 10

const failedServiceSchema = z
  .strictObject({
    service: z.string(),
    mount: z.string().nullable().openapi({ description: 'Of one of its routes; null: it has none.' }),
    code: z.string().openapi({ description: 'A code of the error table.', example: 'backend_unreachable' }),
    message: z.string(),
    at: timestamp,
    requestId: z.string(),
    telephone: z.string().nullable().openapi({ description: 'null: no telephone had the request.' }),
  })
  .openapi('FailedService')

const statusSchema = z
  .strictObject({
    version: z.string(),
    ready: z.boolean(),
    draining: z.boolean(),
    database: z.enum(['reachable', 'unreachable']),
    notifications: z.enum(['received', 'lost']).openapi({
      description:
        'lost: a connection pooler in transaction mode, for example, drops them; changes are found by polling.',
    }),
    tableSource: z.enum(['database', 'snapshot']).nullable(),
    appliedSequence: z.int().openapi({ description: 'Of the last change that this replica has applied.' }),
    latestSequence: z
      .int()
      .nullable()
      .openapi({ description: 'Of the last change there is; null: unknown.' }),
    routes: z.int(),
    services: z.int(),
    telephones: z.int().openapi({ description: 'Processes; each may hold several tunnels.' }),
    tunnels: z.int(),
    streams: z.int(),
    tokenRefusals: z
      .strictObject({
        tunnels: z.int().openapi({ description: 'Dials over the limit of tunnels.' }),
        claims: z.int().openapi({ description: 'Mounts over the limit of claims.' }),
        announcements: z.int().openapi({
          description: 'Announcements and renewals over the rate, and announcements of too much memory.',
        }),
      })
      .openapi({
        description: 'Refused for the limits of a token, on this replica, since its start.',
      }),
    traffic: trafficSchema.nullable().openapi({ description: 'Of this replica; null: it serves none yet.' }),
    lastErrors: z.array(failedServiceSchema).openapi({
      description: `The last failed request of each service on this replica, since its start: the newest ${MAX_LAST_ERRORS}.`,
    }),
    replicas: z.array(replicaSchema),
    lines: z.array(serviceLinesSchema).openapi({ description: 'Of each service, by replica.' }),
  })
  .openapi('Status')

const tags = ['status']

const replicasOperation = operation(
  { permission: 'status:read' },
  {
    method: 'get',
    path: '/v1/replicas',
    operationId: 'listReplicas',
    tags,
    summary: 'The replicas of this Plugboard',
    responses: {
      200: json(
        z
          .strictObject({
            items: z.array(replicaSchema),
            lines: z.array(serviceLinesSchema).openapi({ description: 'On all replicas.' }),
            missingReplicas: missingReplicasSchema,
            rebalance: z.strictObject({ enabled: z.boolean(), asked: z.int() }).openapi({
              description: 'Tunnels of this replica that were asked to move to one with fewer.',
            }),
          })
          .openapi('Replicas'),
        'All known, and the lines of each service by replica.',
      ),
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
    summary: 'How this Plugboard is',
    responses: { 200: json(statusSchema, 'Counts and states.') },
  },
)

export function addStatusOperations(app: OpenAPIHono<AdminEnv>, deps: AdminDependencies): void {
  const { store, directory, telephones, replicas } = deps
  app.openapi(replicasOperation, c => {
    const items = replicas.list().map(replicaBody)
    const missingReplicas = [...replicas.withoutLines()]
    return c.json(
      { items, lines: lineCounts(), missingReplicas, rebalance: { ...replicas.rebalance() } },
      200,
    )
  })
  app.openapi(statusOperation, async c => {
    const tunnels = telephones.list()
    const traffic = deps.traffic()
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
        traffic: traffic === undefined ? null : trafficBody(traffic),
        lastErrors: failedServices(),
        replicas: replicas.list().map(replicaBody),
        lines: lineCounts(),
      },
      200,
    )
  })

  function lineCounts(): z.infer<typeof serviceLinesSchema>[] {
    return replicas.lines().map(({ service, replicas: counts }) => ({ service, replicas: { ...counts } }))
  }

  function failedServices(): z.infer<typeof failedServiceSchema>[] {
    const errors = deps.lastErrors(MAX_LAST_ERRORS)
    if (errors.length === 0) return []
    const names = new Map([...directory.services()].map(({ id, name }) => [id, name]))
    return errors.flatMap(([id, { atMs, code, message, requestId, telephone = null }]) => {
      const service = names.get(id)
      if (service === undefined) return [] // deleted since
      const route = directory.routesOfService(id).next().value
      const mount = route === undefined ? null : formatMount({ host: route.host, path: route.mountPath })
      return [{ service, mount, code, message, at: new Date(atMs).toISOString(), requestId, telephone }]
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
