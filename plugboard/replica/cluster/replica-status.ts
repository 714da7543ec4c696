// The status of each replica for the admin API. It combines the report that the replica sends over its link, its row in the
// database, and the registry of this replica, and lists contradictions between them.

import type { MissingReplicas, ReplicaBody, ServiceLinesBody } from '../../admin/api-types.ts'
import type { KnownReplica } from '../../peers/known-replicas.ts'
import type { Registry } from '../../registry/registry.ts'
import type { LocalTunnels } from '../../telephones/tunnels/local-tunnels.ts'
import { VERSION } from '../../version.ts'

/** The age from which a heartbeat counts as missing, not as late, ms. */
const STALE_MS = 3000

export interface OwnReplica {
  readonly id: string
  readonly address: string
  readonly publicUrl: string | undefined
  readonly leaving: boolean
  readonly startedAt: Date
  readonly appliedSequence: number
  readonly tunnels: Pick<LocalTunnels, 'tunnelCount' | 'streamCount'>
  readonly registry: Registry
}

/** Returns the status of this replica itself. */
export function ownStatus({ id, leaving, tunnels, registry, ...known }: OwnReplica): ReplicaBody {
  return {
    id,
    name: id,
    address: known.address,
    publicUrl: known.publicUrl ?? null,
    state: leaving ? 'leaving' : 'ready',
    version: VERSION,
    startedAt: known.startedAt.toISOString(),
    appliedSequence: known.appliedSequence,
    self: true,
    tunnels: tunnels.tunnelCount,
    streams: tunnels.streamCount,
    lines: [...registry.lines()].filter(({ replicaId }) => replicaId === id).length,
    link: null,
    rttMs: null,
    leaseMs: null,
    forwardedStreams: 0,
    shareAgeMs: null,
    disagreements: [],
  }
}

export function replicaStatus(
  known: KnownReplica,
  ownSequence: number,
  databaseReachable: boolean,
): ReplicaBody {
  const { id, report, record, linked, dialed, leaseMs, lines, rttMs, streams, shareAgeMs } = known
  const startedAt = report === undefined ? record?.startedAt : new Date(report.startedAt)
  return {
    id,
    name: id,
    address: known.address ?? '',
    publicUrl: report?.publicUrl ?? record?.publicUrl ?? null,
    state: leaseMs === 0 && !linked ? 'lost' : (report?.state ?? record?.state ?? 'ready'),
    version: report?.version ?? record?.version ?? '',
    startedAt: startedAt?.toISOString() ?? null,
    appliedSequence: report?.appliedSequence ?? record?.appliedSequence ?? null,
    tunnels: report?.tunnels ?? 0,
    streams: report?.streams ?? 0,
    self: false,
    link: dialed ? 'open' : linked ? 'accepted' : 'none',
    rttMs: rttMs ?? null,
    forwardedStreams: streams,
    leaseMs: Math.round(leaseMs),
    lines,
    shareAgeMs: shareAgeMs === undefined ? null : Math.round(shareAgeMs),
    disagreements: [...disagreements(known, ownSequence, databaseReachable)],
  }
}

function* disagreements(
  { report, record, linked, dialed, inSync, faultyMessages, problem, incarnation, shareState }: KnownReplica,
  ownSequence: number,
  databaseReachable: boolean,
): Iterable<string> {
  // While the database is unavailable, the rows and their ages are those of its last response.
  const row = databaseReachable ? record : undefined
  const beats = row !== undefined && row.heartbeatAgeMs < STALE_MS
  if (beats && !linked) {
    yield `The database has a fresh heartbeat of it, but there is no link to it${problem === '' ? '' : `: ${problem}`}.`
  }
  if (linked && !dialed) {
    yield `It reaches this replica, but this replica does not reach it${problem === '' ? '' : `: ${problem}`}.`
  }
  if (linked && databaseReachable && !beats) {
    yield 'There is a link to it, but its heartbeat does not reach the database.'
  }
  if (row !== undefined && incarnation !== undefined && row.incarnation !== incarnation) {
    yield 'The database and the link name different starts of it.'
  }
  if (linked && !inSync) yield 'It and this replica do not have the same list of lines yet.'
  if (shareState === 'unsupported') {
    yield 'It and this replica count rate limits separately, because its version does not share them. Update it.'
  }
  if (shareState === 'closed') yield 'It and this replica count rate limits separately at the moment.'
  if (faultyMessages > 0) {
    const times = faultyMessages === 1 ? 'once' : `${faultyMessages} times`
    yield `Its list of lines arrived damaged ${times}, and this replica requested it again.`
  }
  const sequence = report?.appliedSequence
  if (sequence !== undefined && sequence !== ownSequence) {
    const distance = Math.abs(ownSequence - sequence)
    yield `It is ${distance} change${distance === 1 ? '' : 's'} ${sequence < ownSequence ? 'behind' : 'ahead of'} this replica.`
  }
}

/** Returns the replicas whose lines this one does not have, or not all of them, with the reason. */
export function withoutLines(known: readonly KnownReplica[]): MissingReplicas {
  return known.flatMap(({ id, leaseMs, linked, inSync, problem }) => {
    const cause = problem === '' ? '' : `: ${problem}`
    if (leaseMs === 0) return [{ id, reason: `its lease has expired, so its lines do not count${cause}` }]
    return linked && !inSync ? [{ id, reason: 'its lines have not all arrived yet' }] : []
  })
}

/** Returns the number of lines by service and replica. `serviceOf`: returns the service that an announced name stands for. */
export function serviceLines(
  registry: Registry,
  serviceOf: (announced: string) => string,
): ServiceLinesBody[] {
  const services = new Map<string, Record<string, number>>()
  for (const { service: announced, replicaId } of registry.lines()) {
    const service = serviceOf(announced)
    let counts = services.get(service)
    if (counts === undefined) {
      counts = Object.create(null) as Record<string, number>
      services.set(service, counts)
    }
    counts[replicaId] = (counts[replicaId] ?? 0) + 1
  }
  return [...services]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([service, replicas]) => ({
      service,
      replicas,
    }))
}
