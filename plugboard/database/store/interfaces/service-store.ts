// Services in the database.

import type { ServiceId } from '../../../common/ids/row-ids.ts'
import type { JsonObject } from '../../../common/json.ts'
import type { Mutation, Page, PageRequest, Sort } from './mutation.ts'

export interface Service {
  readonly id: ServiceId
  /** Unique among the services that are not deleted. */
  readonly name: string
  /** The policy as stored. routes/options/service-policy.ts defines its keys and adds the defaults. */
  readonly policy: JsonObject
  /** 1 at the creation, +1 with each change; the ETag. */
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly deletedAt: Date | null
  /** True when a claim with a lifetime created it: it is deleted with its last route. */
  readonly ephemeral: boolean
}

export interface ServiceFilters {
  /** The name contains this text. */
  readonly q?: string | undefined
  readonly includeDeleted?: boolean | undefined
}
export const SERVICE_SORTS = ['name', 'createdAt', 'updatedAt'] as const
export type ServiceSort = Sort<(typeof SERVICE_SORTS)[number]>

export interface ServiceStore {
  create(
    input: { readonly name: string; readonly policy?: JsonObject | undefined },
    by: Mutation,
  ): Promise<Service>
  /** A living service by name, or any by id. */
  find(nameOrId: string): Promise<Service | undefined>
  get(nameOrId: string): Promise<Service>
  list(
    request?: PageRequest & ServiceFilters & { readonly sort?: ServiceSort | undefined },
  ): Promise<Page<Service>>
  /** The number of all rows that fit. */
  count(filters: ServiceFilters): Promise<number>
  /** The last requests of these services; one without a request is absent. */
  lastRequests(ids: readonly ServiceId[]): Promise<ReadonlyMap<ServiceId, Date>>
  /**
   * `policy` replaces the whole policy. `keepsOldName`: false leaves the aliases as they are when the name changes; by
   * default the old name becomes one. `conflict` when another service has the name or an alias.
   */
  update(
    nameOrId: string,
    patch: {
      readonly name?: string | undefined
      readonly policy?: JsonObject | undefined
      readonly keepsOldName?: boolean | undefined
    },
    by: Mutation,
  ): Promise<Service>
  /** Soft. A service with living routes is `conflict`, its detail names one of them. */
  remove(nameOrId: string, by: Mutation): Promise<Service>
  /** A living service by name, else the one of this name that was deleted last; any by id. */
  getLast(nameOrId: string): Promise<Service>
  /** Makes a deleted service live again. `conflict` when it is not deleted, or another service has one of its names. */
  restore(id: ServiceId, by: Mutation): Promise<Service>
}
