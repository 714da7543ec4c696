// The interface of the database for the rest of Plugboard, as plain types: rows, pages, mutations. The admin API, the tunnel
// endpoint and the command line use `Store`. The modules beside this file implement it with drizzle, and only the folder
// database/ uses SQL, drizzle and pg. Each promise of this interface rejects with a VeraError:
// `not_found`, `conflict`, `mount_conflict`, `invalid_request`, `precondition_failed`, `database_unavailable`.

import type { ReplicaRecords } from '../../common/replica-record.ts'
import type { CertificateStore } from './interfaces/certificate-store.ts'
import type { BundleStore, ChangeStore, InspectionStore } from './interfaces/change-store.ts'
import type { LeaseStore, LimitUsageStore } from './interfaces/cluster-store.ts'
import type { AdminKeyStore, SigningKeyStore, TokenStore } from './interfaces/credential-store.ts'
import type { ProcessOverrideStore } from './interfaces/override-store.ts'
import type { Claim, Claimed, RouteActivityStore, RouteStore } from './interfaces/route-store.ts'
import type { ServiceStore } from './interfaces/service-store.ts'

export type * from './interfaces/certificate-store.ts'
export type * from './interfaces/change-store.ts'
export { CHANGE_ACTIONS, CHANGE_ENTITIES } from './interfaces/change-store.ts'
export type * from './interfaces/cluster-store.ts'
export type * from './interfaces/credential-store.ts'
export { CREDENTIAL_SORTS } from './interfaces/credential-store.ts'
export type * from './interfaces/mutation.ts'
export type * from './interfaces/override-store.ts'
export type * from './interfaces/route-store.ts'
export { ROUTE_SORTS, ROUTE_STATES } from './interfaces/route-store.ts'
export type * from './interfaces/service-store.ts'
export { SERVICE_SORTS } from './interfaces/service-store.ts'

export interface Store {
  readonly certificates: CertificateStore
  readonly replicas: ReplicaRecords
  readonly routeActivity: RouteActivityStore
  readonly leases: LeaseStore
  readonly limitUsage: LimitUsageStore
  readonly services: ServiceStore
  readonly routes: RouteStore
  readonly tokens: TokenStore
  readonly signingKeys: SigningKeyStore
  readonly adminKeys: AdminKeyStore
  readonly changes: ChangeStore
  readonly bundles: BundleStore
  readonly inspections: InspectionStore
  readonly processOverrides: ProcessOverrideStore
  /** Idempotent, because a telephone claims its mounts at each connection. A mount of another service is `mount_conflict`. */
  claimMount(claim: Claim): Promise<Claimed>
}
