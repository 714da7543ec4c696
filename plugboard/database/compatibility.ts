// Whether this version of Plugboard may run on a schema of a newer one. Each migration from 0010 on inserts a row with the
// oldest version that may still run, so the decision does not depend on the content of the migration.

import { drizzle } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import { errorCodeOf, StartupError } from '../common/startup-error.ts'
import { compatibility } from './schema.ts'

/**
 * `newer`: keys of applied migrations that this version does not have. Returns their names. Throws StartupError when one of
 * them does not allow this version.
 */
export async function checkCompatibility(
  client: pg.Client,
  newer: readonly number[],
  version: string | undefined,
): Promise<readonly string[]> {
  const rows = await readRows(client)
  return newer.map(migration => {
    const row = rows.find(candidate => candidate.migration === migration)
    if (row === undefined)
      throw refusal(`not all of its ${newer.length} newer migrations allow an older version`)
    if (version === undefined || isOlder(version, row.oldestVersion)) {
      throw refusal(`migration ${row.name} needs version ${row.oldestVersion}`)
    }
    return row.name
  })
}

function refusal(reason: string): StartupError {
  return new StartupError(`The database is newer than this plugboard: ${reason}. Update plugboard.`)
}

async function readRows(client: pg.Client): Promise<readonly (typeof compatibility.$inferSelect)[]> {
  try {
    return await drizzle(client).select().from(compatibility)
  } catch (error) {
    // undefined_table: a schema whose versions had no such rows yet.
    const cause = error instanceof Error ? error.cause : undefined
    if (errorCodeOf(cause) === '42P01') return []
    throw error
  }
}

/** True when `version` comes before `other`. A pre-release counts as its release. */
export function isOlder(version: string, other: string): boolean {
  const [left, right] = [version, other].map(text => text.split(/[.+-]/).slice(0, 3).map(Number)) as [
    number[],
    number[],
  ]
  for (const [index, part] of left.entries()) {
    const difference = part - (right[index] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
