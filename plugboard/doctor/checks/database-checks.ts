// The checks of the database. They read facts that one query has fetched, so the checks of one run describe one moment.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { describeOutage } from '../../database/connection/database-outage.ts'
import type { ServerFacts } from '../../database/connection/server-facts.ts'
import type { MigrationStatus } from '../../database/migration/migrate.ts'
import { counted, type Finding, failed, listed, ok, spanText, unknown, warning } from '../finding.ts'

/** `server_version_num` of Postgres 14. */
const OLDEST_VERSION = 140_000
const MAX_CLOCK_DIFFERENCE_MS = 1000
const SLOW_MS = 1000
/** Shorter than the time limit of a check. */
const RESPONSE_TIMEOUT_MS = 5_000
const MIN_FREE_SHARE = 0.1
/** The age from which a heartbeat counts as missing, ms. A replica sends one each second. */
const DEAD_MS = 10_000

/** `place`: the database without user and password. */
export function checkReachable(facts: ServerFacts, place: string): Finding {
  const ms = Math.round(facts.roundTripMs)
  if (facts.readOnly) {
    return failed(
      `The database ${place} accepts no writes: it is a standby, or default_transaction_read_only is on.`,
      'Give the URL of the primary server as databaseUrl (PLUGBOARD_DATABASE_URL), and restart Plugboard.',
    )
  }
  if (ms > SLOW_MS) {
    return warning(
      `The database ${place} responds after ${ms} ms.`,
      'Check the network to the database, and its load. Changes of routes reach the replicas late.',
    )
  }
  return ok(`The database ${place} responds in ${ms} ms.`)
}

export function checkVersion({ versionNumber, version }: ServerFacts): Finding {
  if (versionNumber >= OLDEST_VERSION) return ok(`The database is Postgres ${version}.`)
  return failed(
    `The database is Postgres ${version}. Plugboard needs 14 or newer.`,
    'Upgrade the database server.',
  )
}

export function checkMigrations({ applied, pending, newer }: MigrationStatus): Finding {
  if (pending > 0) {
    return failed(
      `The schema lacks ${counted(pending, 'migration')}.`,
      'Run "plugboard migrate", or restart Plugboard with the setting "migrate" on.',
    )
  }
  if (newer.length > 0) {
    return warning(
      `A newer version of Plugboard has migrated the schema: ${listed(newer)}.`,
      'Update this replica, too, when the newer version is to stay.',
    )
  }
  return ok(`The schema has all ${applied} migrations.`)
}

export function checkDatabaseClock({ clockDifferenceMs }: ServerFacts): Finding {
  const difference = spanText(clockDifferenceMs)
  if (Math.abs(clockDifferenceMs) <= MAX_CLOCK_DIFFERENCE_MS)
    return ok(`The clock of this machine differs from that of the database by ${difference}.`)
  const side = clockDifferenceMs > 0 ? 'ahead of' : 'behind'
  return warning(
    `The clock of this machine is ${difference} ${side} the clock of the database. Tokens and leases may expire early or late.`,
    'Synchronise both machines by NTP: "timedatectl set-ntp true", then "timedatectl" on both shows the state.',
  )
}

/** `own`: the setting `databaseConnections`. */
export function checkConnections({ maxConnections, usedConnections }: ServerFacts, own: number): Finding {
  const free = Math.max(0, maxConnections - usedConnections)
  const text = `${usedConnections} of ${maxConnections} connections of the database are in use`
  if (free === 0 || free / maxConnections < MIN_FREE_SHARE) {
    return warning(
      `${text}; ${free} are free.`,
      `Raise max_connections of the database, or lower databaseConnections (${own} for each replica).`,
    )
  }
  return ok(`${text}.`)
}

export function checkReplicaRows({ replicas }: ServerFacts): Finding {
  if (replicas === undefined) return unknown('The schema has no table of replicas yet.')
  const dead = replicas.filter(({ heartbeatAgeMs }) => heartbeatAgeMs > DEAD_MS)
  const [oldest] = dead
  if (oldest === undefined) {
    return ok(
      replicas.length === 0
        ? 'The database has no row of a replica: this Plugboard is alone.'
        : `${counted(replicas.length, 'replica')} sent a heartbeat within ${DEAD_MS / 1000} s.`,
    )
  }
  const age = Math.max(...dead.map(({ heartbeatAgeMs }) => heartbeatAgeMs))
  return warning(
    `The database has rows of replicas that ended without a stop: ${listed(dead.map(({ id }) => id))}. The oldest heartbeat was ${spanText(age)} ago.`,
    'Start these replicas again, or read their logs for the reason. A row disappears one hour after its last heartbeat.',
  )
}

/** Fails when the database cannot be used, or does not respond in time. */
export async function checkResponse(
  read: () => Promise<ServerFacts>,
  place: string,
  clock: Clock,
): Promise<Finding> {
  const late = Promise.withResolvers<Finding>()
  const timer = clock.after(RESPONSE_TIMEOUT_MS, () =>
    late.resolve(
      failed(
        `The database ${place} sent no response within ${RESPONSE_TIMEOUT_MS / 1000} s.`,
        'Check the load and the disk of the database server, and the network to it. A running Plugboard serves the routes in its memory meanwhile.',
      ),
    ),
  )
  try {
    return await Promise.race([read().then(facts => checkReachable(facts, place)), late.promise])
  } catch (error) {
    return unreachableFinding(error, place)
  } finally {
    timer.cancel()
  }
}

/** The finding about a database that cannot be used. The text of the outage has the place, the reason and the remedy. */
export function unreachableFinding(error: unknown, place: string): Finding {
  return failed(
    describeOutage(error, place).text,
    'Start the database, or correct databaseUrl (PLUGBOARD_DATABASE_URL). A running Plugboard serves the routes in its memory meanwhile.',
  )
}
