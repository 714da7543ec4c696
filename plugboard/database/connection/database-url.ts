// The database URL: its name in logs and errors, and the check of the parts that pg cannot use. pg reads the certificate files
// and the port when it creates a client, so an error in them belongs to no connection.

import pg from 'pg'
import { StartupError } from '../../common/startup-error.ts'

/** Returns host, port and name of a database, without user and password: `db.internal:5432/plugboard`. */
export function databasePlace(url: string): string {
  // The class URL does not accept the URL of a socket, because it has no host.
  const parsed = URL.parse(url.replace(/^(\w+:\/\/(?:[^/@]*@)?)\//, '$1socket/'))
  if (parsed === null) return 'of the database URL'
  const folder = parsed.searchParams.get('host')
  return folder === null ? `${parsed.host}${parsed.pathname}` : `${parsed.pathname.slice(1)} in ${folder}`
}

/** Throws StartupError when a part of the URL cannot be used: an unreadable file, or a port that is not a number. */
export function checkDatabaseUrl(url: string): void {
  const place = databasePlace(url)
  let port: number
  try {
    port = new pg.Client({ connectionString: url }).port
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StartupError(`The URL of the database ${place} cannot be used: ${reason}.`, error)
  }
  if (Number.isInteger(port) && port > 0 && port < 65_536) return
  throw new StartupError(
    `The URL of the database ${place} cannot be used: its port is not a number from 1 to 65535.`,
  )
}
