// The overrides of telephone processes in the database.

import type { ServiceId } from '../../../common/ids/row-ids.ts'
import type { Mutation, Page, PageRequest } from './mutation.ts'

/** The weight or the ejection that operators have set for one telephone process of a service. */
export interface ProcessOverride {
  readonly id: string
  readonly serviceId: ServiceId
  /** The id of the process. Each start of a telephone has a new one. */
  readonly instance: string
  /** The name of the telephone at that time. */
  readonly telephone: string
  /** Replaces the announced weight, 0-1000; 0: no new requests. Null: the announced weight applies. */
  readonly weight: number | null
  /** The process gets no requests until then; null: it is not ejected. */
  readonly ejectedUntil: Date | null
  readonly reason: string | null
  /** The name of the admin key that wrote the row last. */
  readonly setBy: string
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly deletedAt: Date | null
}

/** The values that an operator sets. `undefined` keeps the value of the row. */
export interface OverrideValues {
  readonly weight?: number | null | undefined
  /** From now, by the clock of the database; null: ends the ejection. */
  readonly ejectMs?: number | null | undefined
  readonly reason?: string | null | undefined
  readonly setBy: string
  /**
   * The other processes of the service that take requests, by their ids. When each of them has an override that stops its requests,
   * the write rejects with `conflict`. Undefined: no check, because the values do not stop requests, or the operator insists.
   */
  readonly others?: readonly string[] | undefined
}

export interface OverrideFilters {
  readonly serviceId?: ServiceId | undefined
  readonly includeDeleted?: boolean | undefined
}

export interface ProcessOverrideStore {
  /** `conflict` when the process has an override already. */
  create(
    input: OverrideValues & Pick<ProcessOverride, 'serviceId' | 'instance' | 'telephone'>,
    by: Mutation,
  ): Promise<ProcessOverride>
  get(id: string): Promise<ProcessOverride>
  /** Oldest first. */
  list(request?: PageRequest & OverrideFilters): Promise<Page<ProcessOverride>>
  count(filters: OverrideFilters): Promise<number>
  update(id: string, values: OverrideValues, by: Mutation): Promise<ProcessOverride>
  /** Soft. */
  remove(id: string, by: Mutation): Promise<ProcessOverride>
  /** Stores that this replica has a tunnel of these processes now. Not a change. */
  seen(ids: readonly string[]): Promise<void>
  /**
   * Deletes the overrides of processes that no replica has seen for this time, and those whose ejection is over and that have no
   * weight. Removes rows that were deleted long ago. Resolves with the number of deleted rows.
   */
  prune(unseenMs: number): Promise<number>
}
