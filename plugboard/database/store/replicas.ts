// The rows of replicas with a recent heartbeat. Not a part of the change log, because routes do not depend on them and they
// change each second.

import { and, eq, sql } from 'drizzle-orm'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import type { ReplicaRecord, ReplicaRecords } from '../../common/replica-record.ts'
import { replicas } from '../schema.ts'
import type { SqlRunner } from '../sql-runner.ts'

/** The age up to which rows are returned. A replica that stops in order deletes its row. */
const SHOWN = sql`interval '1 minute'`
/** A newer start owns the row while its heartbeat is fresh. After that, a start with an earlier clock can take the row too. */
const LEASE = sql`interval '3 seconds'`
const KEPT = sql`interval '1 hour'`

export function createReplicaStore(runner: SqlRunner): ReplicaRecords {
  return {
    beat: ({ id, incarnation, startedAt, address, publicUrl, version, state, appliedSequence }) =>
      runner.read(async db => {
        const written = await db.execute(sql`
          INSERT INTO plugboard.replicas
            (id, boot, started_at, address, public_url, version, state, applied_sequence, heartbeat_at)
          VALUES (${id}, ${incarnation}, ${startedAt.toISOString()}, ${address}, ${publicUrl}, ${version}, ${state},
            ${appliedSequence}, clock_timestamp())
          ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, started_at = excluded.started_at,
            address = excluded.address, public_url = excluded.public_url, version = excluded.version,
            state = excluded.state, applied_sequence = excluded.applied_sequence,
            heartbeat_at = excluded.heartbeat_at
          WHERE replicas.boot <= excluded.boot OR replicas.heartbeat_at < clock_timestamp() - ${LEASE}`)
        const { rows } = await db.execute<Row>(sql`
          WITH expired AS (DELETE FROM plugboard.replicas WHERE heartbeat_at < clock_timestamp() - ${KEPT})
          SELECT id, boot, started_at, address, public_url, version, state, applied_sequence,
            heartbeat_at::text AS heartbeat,
            extract(epoch FROM clock_timestamp() - heartbeat_at) * 1000 AS age_ms
          FROM plugboard.replicas WHERE heartbeat_at >= clock_timestamp() - ${SHOWN} ORDER BY id`)
        return { current: written.rowCount === 1, rows: rows.map(replicaOf) }
      }),
    remove: (id, incarnation) =>
      runner.read(async db => {
        await db.delete(replicas).where(and(eq(replicas.id, id), eq(replicas.boot, incarnation)))
      }),
  }
}

interface Row extends Record<string, unknown> {
  readonly id: string
  readonly boot: string
  readonly started_at: Date | string
  readonly address: string
  readonly public_url: string | null
  readonly version: string
  readonly state: ReplicaRecord['state']
  readonly applied_sequence: string
  readonly heartbeat: string
  readonly age_ms: string
}

function replicaOf(row: Row): ReplicaRecord {
  return {
    id: asReplicaId(row.id),
    incarnation: row.boot,
    startedAt: new Date(row.started_at),
    address: row.address,
    publicUrl: row.public_url,
    version: row.version,
    state: row.state,
    appliedSequence: Number(row.applied_sequence),
    heartbeat: row.heartbeat,
    heartbeatAgeMs: Math.max(0, Number(row.age_ms)),
  }
}
