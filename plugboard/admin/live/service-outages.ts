// Lists services that have routes but no line that takes requests, with the reason and the time. The registry of this replica has
// the lines of all replicas. But only the replica that held a line has the reason of its end, so this replica asks the others.
// Works without the database.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { formatMount } from '@vera-stack/shared/mounts.ts'
import type { Line } from '../../registry/line.ts'
import { outageText } from '../../registry/line-outage.ts'
import type { DirectoryService } from '../../routes/directory.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import type { MissingReplicas } from '../bodies/replica.ts'
import {
  MAX_OUTAGE_MOUNTS,
  MAX_OUTAGES,
  type OutageBody,
  type OutagesBody,
  outagesSchema,
} from '../bodies/service-outage.ts'
import { json, operation } from '../http/openapi.ts'
import type { ReplicaFacts, ServiceFacts } from './cluster-view.ts'

const outagesOperation = operation(
  { permission: 'status:read' },
  {
    method: 'get',
    path: '/v1/outages',
    operationId: 'listOutages',
    tags: ['status'],
    summary: 'List services that have routes but no line that takes requests, the latest outage first',
    responses: {
      200: json(outagesSchema, 'Services without a usable line, with the reason.'),
    },
  },
)

type Parts = Pick<AdminDependencies, 'directory' | 'lines' | 'cluster'>

export function addOutageOperations(app: OpenAPIHono<AdminEnv>, deps: AdminDependencies): void {
  app.openapi(outagesOperation, async c => c.json(await listOutages(deps), 200))
}

/** Yields the services in the table of this replica that have routes but no usable line. */
export function* unservedServices({ directory, lines }: Omit<Parts, 'cluster'>): Generator<DirectoryService> {
  for (const service of directory.services()) {
    if (lines.isServed(service)) continue
    if (directory.routesOfService(service.id).next().done !== true) yield service
  }
}

/** Resolves with the services that have routes but no usable line, the latest outage first. */
export async function listOutages(parts: Parts): Promise<OutagesBody> {
  const { cluster, lines } = parts
  const atMs = (service: DirectoryService): number => lines.lastLineOf(service)?.atMs ?? 0
  const all = [...unservedServices(parts)].sort(
    (left, right) => atMs(right) - atMs(left) || (left.name < right.name ? -1 : 1),
  )
  const shown = all.slice(0, MAX_OUTAGES)
  const { replicas, missing } = await cluster.facts(shown.map(({ id }) => id))
  const items = shown.map(service => outageOf(service, parts, replicas, missing))
  return { items, total: all.length, missingReplicas: missing }
}

/** Returns the outage of a service. `replicas`: the facts of each replica about the service. */
export function outageOf(
  service: DirectoryService,
  { directory, lines }: Omit<Parts, 'cluster'>,
  replicas: readonly ReplicaFacts[],
  missing: MissingReplicas,
): OutageBody {
  const routes = [...directory.routesOfService(service.id)]
  const present = lines.linesOf(service)
  const facts = replicas.flatMap(({ services }) => services.get(service.id) ?? [])
  // A replica whose response could be read in part is missing too, but it is not lost.
  const isLost = (id: string): boolean =>
    missing.some(replica => replica.id === id) && !replicas.some(({ replicaId }) => replicaId === id)
  const startedAt = replicas.map(replica => replica.startedAt).sort()[0] ?? new Date(0).toISOString()
  return {
    service: service.name,
    routes: routes.length,
    mounts: routes
      .slice(0, MAX_OUTAGE_MOUNTS)
      .map(({ host, mountPath }) => formatMount({ host, path: mountPath })),
    lines: present.length,
    ...explanation(present, facts, isLost, startedAt),
  }
}

function explanation(
  present: readonly Line[],
  facts: readonly ServiceFacts[],
  isLost: (replicaId: string) => boolean,
  startedAt: string,
): Pick<OutageBody, 'reason' | 'since' | 'observed' | 'detail'> {
  const lastLine = lastOf(facts)
  const refusal = latest(facts.flatMap(each => each.refusal ?? []))
  const since = { since: lastLine?.at ?? startedAt, observed: lastLine !== undefined }
  if (present.length > 0) return { ...since, ...ofPresentLines(present) }
  if (refusal !== undefined && (lastLine === undefined || refusal.at > lastLine.at)) {
    const detail = `Telephone "${refusal.telephone}" announced the service, and Plugboard refused it (${refusal.code}): ${refusal.detail}`
    return { ...since, reason: 'refused', detail }
  }
  if (lastLine === undefined) {
    return {
      ...since,
      reason: 'never_connected',
      detail: 'No telephone has served the service since the replicas started.',
    }
  }
  const { telephone, replicaId, end } = lastLine
  if (isLost(replicaId)) {
    const detail = `Replica ${replicaId}, which held the tunnel of telephone "${telephone}", cannot be reached.`
    return { ...since, reason: 'replica_lost', detail }
  }
  const why = end === null ? '' : `: ${end.detail === '' ? end.reason : end.detail}`
  const detail = `The last telephone, "${telephone}" on replica ${replicaId}, has disconnected${why}.`
  return { ...since, reason: 'disconnected', detail: detail.replace(/\.\.$/, '.') }
}

function ofPresentLines(lines: readonly Line[]): Pick<OutageBody, 'reason' | 'detail'> {
  const telephones = [...new Set(lines.map(({ telephone }) => `"${telephone}"`))]
    .slice(0, MAX_OUTAGE_MOUNTS)
    .join(', ')
  const all = lines.length === 1 ? 'The only line is' : `All ${lines.length} lines are`
  if (lines.some(({ health }) => health === 'down')) {
    return {
      reason: 'unhealthy',
      detail: `${all} down (telephone ${telephones}): ${outageText(lines)}.`,
    }
  }
  const detail = `${all} at weight 0 and take no requests: telephone ${telephones}.`
  return { reason: 'no_weight', detail }
}

/** Returns the last line. Prefers a line with a reason for its end, which only the replica that held the tunnel has. */
function lastOf(facts: readonly ServiceFacts[]): NonNullable<ServiceFacts['lastLine']> | undefined {
  const all = facts.flatMap(({ lastLine }) => lastLine ?? [])
  return latest(all.filter(({ end }) => end !== null)) ?? latest(all)
}

function latest<Entry extends { readonly at: string }>(entries: readonly Entry[]): Entry | undefined {
  return entries.reduce<Entry | undefined>(
    (newest, entry) => (newest === undefined || entry.at > newest.at ? entry : newest),
    undefined,
  )
}
