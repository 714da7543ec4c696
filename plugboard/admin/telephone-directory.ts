// Who is connected, and which replicas there are, as the admin API shows it. Declared here, filled in by
// plugboard.ts from telephones/ and registry/.

export interface TelephoneLine {
  readonly service: string
  /** The mounts it has claimed for this service. */
  readonly mounts: readonly string[]
  readonly health: 'up' | 'down'
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

export interface TelephoneDirectory {
  list(): readonly TelephoneStatus[]
}

export interface ReplicaStatus {
  readonly id: string
  readonly name: string
  /** Where the other replicas reach it; empty for a replica by itself. */
  readonly address: string
  readonly version: string
  readonly startedAt: Date
  /** Sequence of the last change in its table. */
  readonly appliedSequence: number
  readonly tunnels: number
  readonly streams: number
  /** The replica that answers. */
  readonly self: boolean
}

export interface ReplicaDirectory {
  list(): readonly ReplicaStatus[]
}
