// Moves the recorded times of a database into the past, because a test cannot wait for hours.

import { administer } from './postgres-setup.ts'

/**
 * Moves all times of routes back by `interval`, such as `2 hours`. `recorded`: a replica has recorded during all of this
 * time.
 */
export async function past(databaseUrl: string, interval: string, recorded = false): Promise<void> {
  const by = `interval '${interval}'`
  const end = recorded ? 'now()' : `ended_at - ${by}`
  await administer(
    databaseUrl,
    `BEGIN;
     SET LOCAL session_replication_role = replica;
     UPDATE plugboard.routes SET created_at = created_at - ${by};
     UPDATE plugboard.route_activity SET served_at = served_at - ${by}, line_at = line_at - ${by};
     UPDATE plugboard.recording_periods SET started_at = started_at - ${by}, ended_at = ${end};
     UPDATE plugboard.leases SET expires_at = expires_at - ${by};
     COMMIT`,
  )
}
