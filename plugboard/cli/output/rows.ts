// The rows of the admin API as the command line reads them. The OpenAPI document says more.

export interface RouteRow {
  readonly id: string
  readonly mount: string
  /** Null: Plugboard responds to the route's requests itself. */
  readonly service: string | null
  readonly options: Readonly<Record<string, unknown>>
  readonly claimedBy: string | null
  readonly lifetimeSeconds: number | null
  readonly lastRequestAt: string | null
  readonly lastTelephone: string | null
  readonly version: number
  readonly createdAt: string
  readonly updatedAt: string
  readonly deletedAt: string | null
}

/** The destination of a route's requests: its service, or Plugboard itself (a redirect or a fixed response). */
export const useOf = (service: string | null): string => service ?? '(Plugboard responds)'

export interface ServiceRow {
  readonly id: string
  readonly name: string
  readonly policy: Readonly<Record<string, unknown>>
  readonly version: number
  readonly createdAt: string
  readonly updatedAt: string
  readonly deletedAt: string | null
}

export type CredentialState = 'active' | 'expired' | 'revoked'

export interface TokenRow {
  readonly id: string
  readonly name: string
  readonly services: readonly string[]
  readonly mounts: readonly string[]
  /** null: the default of the settings. */
  readonly limits: {
    readonly tunnels: number | null
    readonly claims: number | null
    readonly announcementsPerMinute: number | null
  }
  readonly usage: { readonly tunnels: number; readonly claims: number }
  readonly state: CredentialState
  readonly createdAt: string
  readonly expiresAt: string
  readonly lastSeenAt: string | null
}

export interface KeyRow {
  readonly id: string
  readonly name: string
  readonly prefix: string
  readonly scopes: readonly string[]
  /** Null: none. */
  readonly limits: { readonly services: readonly string[]; readonly mounts: readonly string[] } | null
  readonly state: CredentialState
  readonly expiresAt: string | null
  readonly lastUsedAt: string | null
}

export interface SigningKeyRow {
  readonly kid: string
  readonly state: 'signing' | 'retired'
  readonly createdAt: string
}

export interface ChangeRow {
  readonly sequence: number
  readonly at: string
  readonly actor: string
  readonly entity: string
  readonly entityId: string
  readonly action: string
  readonly before: Readonly<Record<string, unknown>> | null
  readonly after: Readonly<Record<string, unknown>> | null
}

export interface TelephoneRow {
  readonly id: string
  readonly name: string
  readonly instance: string
  readonly agent: string
  readonly remoteAddress: string
  readonly connectedAt: string
  readonly services: readonly { readonly service: string; readonly health: string; readonly weight: number }[]
  readonly streams: number
  readonly rttMs: number | null
  readonly replicaId: string
}

export interface StatusRow {
  readonly version: string
  readonly ready: boolean
  readonly draining: boolean
  readonly database: string
  readonly notifications: 'received' | 'lost'
  readonly tableSource: string | null
  readonly appliedSequence: number
  readonly latestSequence: number | null
  readonly routes: number
  readonly services: number
  readonly telephones: number
  readonly tunnels: number
  readonly streams: number
  readonly tokenRefusals: {
    readonly tunnels: number
    readonly claims: number
    readonly announcements: number
  }
  readonly traffic: TrafficRow | null
  /** Absent: the replica has an older version. */
  readonly lastErrors?: readonly FailedServiceRow[]
  readonly replicas: readonly ReplicaRow[]
  readonly lines: readonly ServiceLinesRow[]
}

export interface FailedServiceRow {
  readonly service: string
  readonly mount: string | null
  readonly code: string
  readonly message: string
  readonly at: string
}

export interface TrafficRow {
  readonly openConnections: number
  readonly connections: number
  readonly http2Connections: number
  readonly connectionsRefused: number
  readonly requests: number
  readonly problems: Readonly<Record<string, number>>
  readonly tls: {
    readonly handshakes: number
    readonly resumed: number
    readonly handshakesFailed: number
    readonly handshakesRefused: number
  } | null
}

export interface ReplicaRow {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly state: string
  readonly version: string
  readonly startedAt: string | null
  readonly appliedSequence: number | null
  readonly tunnels: number
  readonly streams: number
  readonly self: boolean
  readonly link: string | null
  readonly rttMs: number | null
  readonly leaseMs: number | null
  readonly lines: number
  readonly disagreements: readonly string[]
}

export interface ReplicasRow {
  readonly items: readonly ReplicaRow[]
  readonly lines: readonly ServiceLinesRow[]
  readonly missingReplicas: readonly MissingReplicaRow[]
}

export interface ServiceLinesRow {
  readonly service: string
  readonly replicas: Readonly<Record<string, number>>
}

/** A replica that gave no response; what it alone knows is not in the result. */
export interface MissingReplicaRow {
  readonly id: string
  readonly reason: string
}

export interface OutageRow {
  readonly service: string
  readonly routes: number
  readonly mounts: readonly string[]
  readonly reason: string
  readonly since: string
  /** False: the service was not served at `since` already. */
  readonly observed: boolean
  readonly detail: string
}

export interface OutagesRow {
  readonly items: readonly OutageRow[]
  readonly total: number
  readonly missingReplicas: readonly MissingReplicaRow[]
}

export interface MatchLineRow {
  readonly telephone: string
  readonly replicaId: string
  readonly health: string
  /** Absent: the replica has an older version. */
  readonly healthCheck?: boolean
  readonly weight: number
  readonly version: string
  readonly state: string
}

export interface MatchRow {
  readonly host: string
  readonly path: string
  readonly outcome: 'forwarded' | 'responded'
  readonly response: {
    readonly status: number
    readonly code: string | null
    readonly detail: string
    readonly location: string | null
  } | null
  readonly route: { readonly id: string; readonly mount: string } | null
  readonly service: { readonly id: string; readonly name: string } | null
  readonly lines: {
    readonly total: number
    readonly serving: number
    readonly items: readonly MatchLineRow[]
  }
  readonly outage: Pick<OutageRow, 'reason' | 'since' | 'observed' | 'detail'> | null
  readonly lastError: {
    readonly code: string
    readonly message: string
    readonly at: string
    readonly requestId: string
    readonly telephone: string | null
    readonly replicaId: string
  } | null
  readonly missingReplicas: readonly MissingReplicaRow[]
}
