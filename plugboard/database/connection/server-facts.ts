// Reads facts about the database server for `plugboard doctor`: version, clock, connections, and rows of replicas. It writes nothing,
// and works with every schema, also before the first migration.

import { sql } from 'drizzle-orm'
import type { SqlRunner } from '../sql-runner.ts'

export interface ServerFacts {
  /** `server_version_num`, such as 160004. */
  readonly versionNumber: number
  /** Such as `16.4`. */
  readonly version: string
  readonly roundTripMs: number
  /** The clock of this machine minus the clock of the database. */
  readonly clockDifferenceMs: number
  readonly maxConnections: number
  readonly usedConnections: number
  /** True when the server accepts no writes. */
  readonly readOnly: boolean
  /** The rows of all replicas; undefined before the migration that creates the table. */
  readonly replicas: readonly { readonly id: string; readonly heartbeatAgeMs: number }[] | undefined
}

/** Rows of replicas that are read. */
const MAX_REPLICAS = 1000

/** Rejects with `database_unavailable`. */
export async function readServerFacts(runner: SqlRunner, wallTime: () => number): Promise<ServerFacts> {
  const sentAt = wallTime()
  const server = await runner.read(async db => {
    const { rows } = await db.execute<ServerRow>(sql`
      SELECT current_setting('server_version_num')::int AS version_number,
        split_part(current_setting('server_version'), ' ', 1) AS version,
        (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS wall_ms,
        current_setting('max_connections')::int AS max_connections,
        (SELECT coalesce(sum(numbackends), 0)::int FROM pg_stat_database) AS used_connections,
        pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS read_only,
        to_regclass('plugboard.replicas') IS NOT NULL AS has_replicas`)
    return rows[0]!
  })
  const roundTripMs = wallTime() - sentAt
  return {
    versionNumber: server.version_number,
    version: server.version,
    roundTripMs,
    clockDifferenceMs: Math.round(sentAt + roundTripMs / 2 - server.wall_ms),
    maxConnections: server.max_connections,
    usedConnections: server.used_connections,
    readOnly: server.read_only,
    replicas: server.has_replicas ? await replicaAges(runner) : undefined,
  }
}

function replicaAges(runner: SqlRunner): Promise<{ id: string; heartbeatAgeMs: number }[]> {
  return runner.read(async db => {
    const { rows } = await db.execute<{ id: string; age_ms: number }>(sql`
      SELECT id, (extract(epoch FROM clock_timestamp() - heartbeat_at) * 1000)::float8 AS age_ms
      FROM plugboard.replicas ORDER BY heartbeat_at LIMIT ${MAX_REPLICAS}`)
    return rows.map(({ id, age_ms }) => ({ id, heartbeatAgeMs: Math.max(0, age_ms) }))
  })
}

interface ServerRow extends Record<string, unknown> {
  readonly version_number: number
  readonly version: string
  readonly wall_ms: number
  readonly max_connections: number
  readonly used_connections: number
  readonly read_only: boolean
  readonly has_replicas: boolean
}
