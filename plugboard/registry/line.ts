// A line states that a tunnel can take streams for a service. It is plain data without sockets, so that it can be replicated:
// only the replica that holds the tunnel writes it, and all other replicas keep copies.

import type { ReplicaId } from '../common/ids/replica-id.ts'
import type { LineId, TunnelId } from './line-ids.ts'
import type { LineOutage } from './line-outage.ts'

export interface Line {
  readonly id: LineId
  /** The replica that holds the tunnel: the only writer of this line. */
  readonly replicaId: ReplicaId
  readonly tunnelId: TunnelId
  readonly service: string
  /** Name of the telephone. Two tunnels of one process have the same `telephone` and `instance`. */
  readonly telephone: string
  readonly instance: string
  readonly health: 'up' | 'down'
  /** The reason for the health `down`. Absent: the health is `up`, or the telephone did not announce a reason. */
  readonly outage?: LineOutage | undefined
  /** True when the health is `up` and the telephone checks it. Absent: no check, an older telephone, or the health is `down`. */
  readonly healthCheck?: true
  /** 0-1000: share of the process in relation to the service's other processes. A process with 0 takes no traffic. */
  readonly weight: number
  /** Version of the software behind the line, set by its operator; may be empty. */
  readonly version: string
  readonly labels: Readonly<Record<string, string>>
  /** The start of the process, and a digest of the identity in its verified token (telephones/generation.ts). */
  readonly generation?: string
  /** Digest of the holder of the tunnel's token, to which limits apply (telephones/held-budgets.ts). */
  readonly holder?: string
}

/** Returns true when both lines belong to one process. A telephone chooses its instance id, so ids count within an identity. */
export function sameProcess(left: Line, right: Line): boolean {
  return left.instance === right.instance && identityIn(left) === identityIn(right)
}

/** Identifies the process of a line within the cluster: the same for all lines of one process, see `sameProcess`. */
export function processKey(line: Line): string {
  return `${identityIn(line) ?? ''}\0${line.instance}`
}

/** Returns true when both lines belong to one telephone: the same name within the same identity. */
export function sameTelephone(left: Line, right: Line): boolean {
  return left.telephone === right.telephone && identityIn(left) === identityIn(right)
}

function identityIn({ generation }: Line): string | undefined {
  return generation?.slice(generation.indexOf('.'))
}

/** Returns true when both lines have the same values. */
export function sameLine(left: Line, right: Line): boolean {
  return (
    left.id === right.id &&
    left.replicaId === right.replicaId &&
    left.telephone === right.telephone &&
    left.instance === right.instance &&
    left.health === right.health &&
    left.healthCheck === right.healthCheck &&
    sameOutage(left.outage, right.outage) &&
    left.weight === right.weight &&
    left.version === right.version &&
    sameLabels(left.labels, right.labels)
  )
}

function sameOutage(left: LineOutage | undefined, right: LineOutage | undefined): boolean {
  return left?.sinceMs === right?.sinceMs && left?.cause === right?.cause && left?.detail === right?.detail
}

function sameLabels(left: Line['labels'], right: Line['labels']): boolean {
  const names = Object.keys(left)
  return names.length === Object.keys(right).length && names.every(name => left[name] === right[name])
}
