// A replica as its row in the database describes it, and the rows themselves: database/ keeps them, and peers/ finds the
// other replicas by them.

import type { ReplicaId } from './ids/replica-id.ts'

export interface ReplicaRecord {
  /** Its name: unique in the cluster. */
  readonly id: ReplicaId
  /** Of this start; later starts sort behind earlier ones. */
  readonly incarnation: string
  readonly startedAt: Date
  /** `http(s)://host:port` of its peer port. */
  readonly address: string
  /** The URL for telephones; null: telephones do not get one. */
  readonly publicUrl: string | null
  readonly version: string
  readonly state: 'ready' | 'leaving'
  readonly appliedSequence: number
  /** Differs for each heartbeat of the replica. */
  readonly heartbeat: string
  /** By the clock of the database, ms. */
  readonly heartbeatAgeMs: number
}

/** The part of a row that the replica itself writes. */
export type OwnReplicaRecord = Omit<ReplicaRecord, 'heartbeat' | 'heartbeatAgeMs'>

export interface ReplicaRecords {
  /**
   * Writes the caller's row with a fresh heartbeat, and returns all rows that had one within a minute. `current`:
   * false when a later start of the same id has the row; then no row was written.
   */
  beat(row: OwnReplicaRecord): Promise<{ readonly current: boolean; readonly rows: readonly ReplicaRecord[] }>
  /** Has no effect when another start has the row. */
  remove(id: ReplicaId, incarnation: string): Promise<void>
}
