// The rows that bundles read and write: all services and routes of one moment, and the changes of one transaction. The
// admin API compares the rows with a bundle (admin/bundle/), and gives the differences back for the write.

import type { RouteId, ServiceId } from '../../../common/ids/row-ids.ts'
import type { JsonObject } from '../../../common/json.ts'

export interface CopiedService {
  readonly id: ServiceId
  readonly name: string
  readonly policy: JsonObject
  readonly version: number
}

export interface CopiedRoute {
  readonly id: RouteId
  readonly host: string
  readonly mountPath: string
  /** Null: the route responds by itself. */
  readonly serviceId: ServiceId | null
  readonly options: JsonObject
  readonly claimedBy: string | null
  readonly version: number
}

/** A service or a route that a change of the log concerns. It has the names before and after the change. */
export type TouchedRow =
  | { readonly entity: 'service'; readonly name: string }
  | { readonly entity: 'route'; readonly host: string; readonly mountPath: string }

/** Receives the rows that are not deleted, all services before the first route. */
export interface BundleCopySink {
  service(row: CopiedService): void
  route(row: CopiedRoute): void
}

export interface BundleCopyRequest {
  readonly sink: BundleCopySink
  /** When present, `touched` gets each row that a change after this sequence concerns. */
  readonly since?: { readonly sequence: number; readonly touched: (row: TouchedRow) => void } | undefined
}

interface RowChange {
  /** The version that the change was made from. */
  readonly version: number
}

/** The differences between a bundle and the rows. The ids of new rows are made before the write, so that routes can name them. */
export interface BundleWrite {
  readonly services: {
    readonly created: readonly { readonly id: string; readonly name: string; readonly policy: JsonObject }[]
    readonly changed: readonly (RowChange & { readonly id: string; readonly policy: JsonObject })[]
    readonly deleted: readonly (RowChange & { readonly id: string })[]
  }
  readonly routes: {
    readonly created: readonly {
      readonly id: string
      readonly host: string
      readonly mountPath: string
      readonly serviceId: string | null
      readonly options: JsonObject
    }[]
    readonly changed: readonly (RowChange & {
      readonly id: string
      readonly serviceId: string | null
      readonly options: JsonObject
    })[]
    readonly deleted: readonly (RowChange & { readonly id: string })[]
  }
}

export interface BundleWritten {
  /** The sequence of the last change of the transaction. */
  readonly sequence: number
  /** The time during which the transaction held the lock of all writers, ms. */
  readonly lockedMs: number
}
