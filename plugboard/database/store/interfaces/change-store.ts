// The change log in the database, and the writes of whole bundles.

import type { RouteId, ServiceId } from '../../../common/ids/row-ids.ts'
import type { JsonObject } from '../../../common/json.ts'
import type { BundleCopyRequest, BundleWrite, BundleWritten } from '../bundle/bundle-rows.ts'
import type { LogContinuation, ReadPosition } from '../changes/log-gap.ts'
import type { Mutation, Page, PageRequest } from './mutation.ts'

export const CHANGE_ENTITIES = [
  'service',
  'route',
  'token',
  'signing_key',
  'admin_key',
  'inspection',
  'process_override',
] as const
export type ChangeEntity = (typeof CHANGE_ENTITIES)[number]
export const CHANGE_ACTIONS = [
  'created',
  'updated',
  'deleted',
  'restored',
  'revoked',
  'retired',
  'purged',
] as const
export type ChangeAction = (typeof CHANGE_ACTIONS)[number]

/** One entry of the audit log. Sequences have no gap and commit in order. */
export interface Change {
  readonly sequence: number
  /** Random. It distinguishes an entry of a restored database from an earlier entry with the same sequence. */
  readonly id: string
  readonly at: Date
  readonly actor: string
  readonly entity: ChangeEntity
  readonly entityId: string
  readonly action: ChangeAction
  /** The row as it was and as it is, in camelCase, without secrets. */
  readonly before: JsonObject | null
  readonly after: JsonObject | null
  /** Id of the bundle that made the change together with others; null: a single write. */
  readonly bundle: string | null
}

/** A change with the names of the services that its ids stand for. */
export interface NamedChange extends Change {
  /** The current name of the service in `before` and in `after` of a route; null without a service. */
  readonly serviceBefore: string | null
  readonly serviceAfter: string | null
}

/** Filters of the log. A change must fit each of them, except that `routeId` and `serviceId` together accept both rows. */
export interface ChangeFilters {
  /** Rows of one of these kinds. */
  readonly entities?: readonly ChangeEntity[] | undefined
  readonly entityId?: string | undefined
  readonly actor?: string | undefined
  readonly action?: ChangeAction | undefined
  readonly routeId?: RouteId | undefined
  readonly serviceId?: ServiceId | undefined
}

/** The rows of one change that an undo concerns, for the check of the caller's rights. */
export interface UndoneRow {
  readonly entity: 'route' | 'service' | 'process_override'
  /** The mounts of the row before and after the undo. */
  readonly mounts: readonly string[]
  /** The names of the service before and after the undo, and its aliases. Of an override: the name of its service. */
  readonly services: readonly string[]
}

export interface UndoRequest {
  readonly sequence: number
  /** Undoes the changes from `through` back to `sequence`; absent: only `sequence`. */
  readonly through?: number | 'latest' | undefined
  /** Throws when the caller may not change the row. */
  readonly permit: (row: UndoneRow) => void
}

export interface Undone {
  /** The new changes, oldest first. */
  readonly changes: readonly NamedChange[]
  /** Changes of the range that are final. */
  readonly skipped: readonly { readonly sequence: number; readonly reason: string }[]
}

export interface ChangeStore {
  /**
   * Newest first; with `after`, oldest first. `after` and `before`: sequences that are not included. Rejects with
   * `precondition_failed` when the log does not have all changes after `after`; 0 means the oldest change of the log.
   */
  list(
    request?: PageRequest &
      ChangeFilters & { readonly after?: number | undefined; readonly before?: number | undefined },
  ): Promise<Page<NamedChange>>
  /** Oldest first, `sequence` > `after`; at most 1,000. */
  after(sequence: number, limit?: number, filters?: ChangeFilters): Promise<readonly NamedChange[]>
  /** Resolves with the newest change, and whether the log continues from the position. */
  continuation(position: ReadPosition): Promise<LogContinuation>
  /** Sequence of the newest change; 0 without changes. */
  latest(): Promise<number>
  /**
   * Writes the rows as they were before the changes, as new changes of one transaction. ChangedRowError when a row has changed
   * since; `conflict` for a change that is final.
   */
  undo(request: UndoRequest, by: Mutation): Promise<Undone>
  /** Deletes all but the newest `keep` (≥ 1) changes. Resolves with the number of deleted changes. */
  prune(keep: number): Promise<number>
}

export interface BundleStore {
  /**
   * Reads all rows of one moment in batches. Resolves with the sequence of that moment. Rejects with `precondition_failed` when
   * the log no longer has all changes after `since`.
   */
  copy(request: BundleCopyRequest): Promise<number>
  /**
   * Applies the differences in one transaction. `bundle`: its id in the change log. Rejects with `precondition_failed` when a
   * changed or deleted row has another version now, and with the errors of single writes. In each case, no row changes.
   */
  write(differences: BundleWrite, bundle: string, by: Mutation): Promise<BundleWritten>
}

/** Entries of the change log about persons who look at captured exchanges. */
export interface InspectionStore {
  /**
   * Records that the actor reads exchanges of the service, once in an hour. Resolves with the rest of this hour, ms. Both are by the
   * clock of the database.
   */
  recordRead(service: InspectedService, by: Mutation): Promise<number>
  /** Records that the actor repeats an exchange. */
  recordReplay(service: InspectedService, exchange: string, by: Mutation): Promise<void>
}

export interface InspectedService {
  readonly id: ServiceId
  readonly name: string
}
