// What is known of the replicas, side by side, for the admin API: each replica's own word over its link, the rows of
// the database, our registry; and where these do not fit together.

import type { MissingReplicas, ReplicaBody, ServiceLinesBody } from '../admin/api-types.ts'
import type { KnownReplica } from '../peers/known-replicas.ts'
import type { Registry } from '../registry/registry.ts'
import type { Switchboard } from '../telephones/switchboard.ts'
import { VERSION } from '../version.ts'

/** A heartbeat this old is missing rather than late, ms. */
const STALE_MS = 3000

export interface OwnReplica {
  readonly id: string
  readonly address: string
  readonly publicUrl: string | undefined
  readonly leaving: boolean
  readonly startedAt: Date
  readonly appliedSequence: number
  readonly switchboard: Pick<Switchboard, 'tunnelCount' | 'streamCount'>
  readonly registry: Registry
}

/** Returns the status of this replica itself. */
export function ownStatus({ id, leaving, switchboard, registry, ...known }: OwnReplica): ReplicaBody {
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
    tunnels: switchboard.tunnelCount,
    streams: switchboard.streamCount,
    lines: [...registry.lines()].filter(({ replicaId }) => replicaId === id).length,
    link: null,
    rttMs: null,
    leaseMs: null,
    forwardedStreams: 0,
    disagreements: [],
  }
}

export function replicaStatus(
  known: KnownReplica,
  ownSequence: number,
  databaseReachable: boolean,
): ReplicaBody {
  const { id, report, record, linked, dialed, leaseMs, lines, rttMs, streams } = known
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
    disagreements: [...disagreements(known, ownSequence, databaseReachable)],
  }
}

function* disagreements(
  { report, record, linked, dialed, inSync, faultyMessages, problem, boot }: KnownReplica,
  ownSequence: number,
  databaseReachable: boolean,
): Iterable<string> {
  // Of a database that is away, rows and their ages are those of its last answer.
  const row = databaseReachable ? record : undefined
  const beats = row !== undefined && row.heartbeatAgeMs < STALE_MS
  if (beats && !linked) {
    yield `The database has its heartbeat, but there is no link to it${problem === '' ? '' : `: ${problem}`}.`
  }
  if (linked && !dialed) yield `It reaches us, but we do not reach it${problem === '' ? '' : `: ${problem}`}.`
  if (linked && databaseReachable && !beats) {
    yield 'There is a link to it, but its heartbeat does not reach the database.'
  }
  if (row !== undefined && boot !== undefined && row.boot !== boot) {
    yield 'The database and the link name different starts of it.'
  }
  if (linked && !inSync) yield 'Its lines and ours are not the same on both sides yet.'
  if (faultyMessages > 0) {
    const times = faultyMessages === 1 ? 'once' : `${faultyMessages} times`
    yield `What it says of its lines was not sound ${times}; they were asked for again.`
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

/** `serviceOf`: the name of the service that an announced name means. */
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
