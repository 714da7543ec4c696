// A line: "this tunnel can take streams for this service". Plain data, so that it can be replicated: only the
// replica that holds the tunnel writes it, everyone else copies. It knows nothing of sockets.

import type { ReplicaId } from '../common/replica-id.ts'
import type { LineId, TunnelId } from './line-ids.ts'
import type { Outage } from './outage.ts'

export interface Line {
  readonly id: LineId
  /** The replica that holds the tunnel: the only writer of this line. */
  readonly replicaId: ReplicaId
  readonly tunnelId: TunnelId
  readonly service: string
  /** Name of the telephone, and the id of the process behind it: two tunnels of one process share both. */
  readonly telephone: string
  readonly instance: string
  readonly health: 'up' | 'down'
  /** Why the health is `down`. Absent: the health is `up`, or the telephone did not announce it. */
  readonly outage?: Outage | undefined
  /** True when the health is `up` and the telephone checks it. Absent: no check, an older telephone, or the health is `down`. */
  readonly healthCheck?: true
  /** 0-1000; share of the traffic next to the service's other lines; 0 takes none. */
  readonly weight: number
  /** Of the software behind the line, as its operator says; may be empty. */
  readonly version: string
  readonly labels: Readonly<Record<string, string>>
  /** The start of the process and a digest of the identity that its token proved (telephones/generation.ts). */
  readonly generation?: string
  /** Digest of the holder of the tunnel's token, for whom limits count (telephones/held-budgets.ts). */
  readonly holder?: string
}

/** True when both belong to one process. An instance id is the telephone's own choice, and counts within its identity. */
export function sameProcess(left: Line, right: Line): boolean {
  return left.instance === right.instance && identityIn(left) === identityIn(right)
}

/** True when both belong to processes of one telephone: one name within one identity. */
export function sameTelephone(left: Line, right: Line): boolean {
  return left.telephone === right.telephone && identityIn(left) === identityIn(right)
}

function identityIn({ generation }: Line): string | undefined {
  return generation?.slice(generation.indexOf('.'))
}

/** True when both say the same, whatever object they are. */
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

function sameOutage(left: Outage | undefined, right: Outage | undefined): boolean {
  return left?.sinceMs === right?.sinceMs && left?.cause === right?.cause && left?.detail === right?.detail
}

function sameLabels(left: Line['labels'], right: Line['labels']): boolean {
  const names = Object.keys(left)
  return names.length === Object.keys(right).length && names.every(name => left[name] === right[name])
}
