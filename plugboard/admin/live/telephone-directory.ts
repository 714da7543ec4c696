// Who is connected, and which replicas there are, as the admin API shows it. Declared here, filled in by
// plugboard.ts from telephones/ and registry/.

export interface TelephoneLine {
  readonly service: string
  /** The mounts it has claimed for this service. */
  readonly mounts: readonly string[]
  readonly health: 'up' | 'down'
  /** Why the health is `down`; undefined: it is up, or not known. */
  readonly outage?:
    | { readonly sinceMs: number; readonly cause?: string | undefined; readonly detail: string }
    | undefined
  readonly weight: number
  readonly version: string
  readonly labels: Readonly<Record<string, string>>
}

/** One tunnel of a telephone: a telephone that holds two is listed twice, with the same instance. */
export interface TelephoneStatus {
  /** Of the tunnel. */
  readonly id: string
  /** As the telephone calls itself. */
  readonly name: string
  /** New at each start of the telephone. */
  readonly instance: string
  /** Its software: `telephone/0.1.0`. */
  readonly agent: string
  readonly remoteAddress: string
  readonly connectedAt: Date
  readonly services: readonly TelephoneLine[]
  readonly tokenId: string
  /** Streams open now. */
  readonly streams: number
  /** Smoothed; undefined before the first answer to a ping. */
  readonly rttMs: number | undefined
  /** The replica that holds the tunnel. */
  readonly replicaId: string
}

/** Refusals by the limits of tokens on this replica, since its start. */
export interface TokenRefusalCounts {
  readonly tunnels: number
  readonly claims: number
  readonly announcements: number
}

export interface TelephoneDirectory {
  list(): readonly TelephoneStatus[]
  /** Open tunnels of one of our own tokens, on all replicas. */
  tunnelsOfToken(id: string): number
  tokenRefusals(): TokenRefusalCounts
}

export interface ReplicaStatus {
  /** Its name, unique in the cluster. */
  readonly id: string
  readonly name: string
  /** Where the other replicas reach it; empty for a replica by itself. */
  readonly address: string
  /** Where telephones reach it. */
  readonly publicUrl: string | undefined
  readonly state: 'ready' | 'leaving' | 'lost'
  /** Empty while it has not said. */
  readonly version: string
  readonly startedAt: Date | undefined
  /** Sequence of the last change in its table, as it said last. */
  readonly appliedSequence: number | undefined
  readonly tunnels: number
  readonly streams: number
  /** The replica that answers. */
  readonly self: boolean
  /** `open`: dialled from here. `accepted`: only the peer's dial came through. */
  readonly link: 'open' | 'accepted' | 'none' | undefined
  /** Of the link. */
  readonly rttMs: number | undefined
  /** Streams on the links to it, both ways. */
  readonly forwardedStreams: number
  /** What is left of its lease; 0: its lines do not count. */
  readonly leaseMs: number | undefined
  /** Its lines, as known here. */
  readonly lines: number
  /** Where what is known of it does not fit together, one sentence each. */
  readonly disagreements: readonly string[]
}

export interface ReplicaDirectory {
  list(): readonly ReplicaStatus[]
  /** Whether tunnels are evened out from here, and how many were asked to move since the start. */
  rebalance(): { readonly enabled: boolean; readonly asked: number }
  /** Lines of each service on each replica, as this one has them. */
  lines(): readonly ServiceLines[]
  /** Replicas whose lines are not, or not all, among them. */
  withoutLines(): readonly { readonly id: string; readonly reason: string }[]
}

export interface ServiceLines {
  readonly service: string
  /** Lines by replica. */
  readonly replicas: Readonly<Record<string, number>>
}
