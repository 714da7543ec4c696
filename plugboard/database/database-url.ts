// The database URL: how it is named in logs and errors, and what pg cannot use of it. pg reads the files of certificates
// and the port when it makes a client; an error there has no connection to be reported on.

import pg from 'pg'
import { StartupError } from '../common/startup-error.ts'

/** Host, port and name of a database, without user and password: `db.internal:5432/plugboard`. */
export function databasePlace(url: string): string {
  // A URL of a socket has no host, which URL does not accept.
  const parsed = URL.parse(url.replace(/^(\w+:\/\/(?:[^/@]*@)?)\//, '$1socket/'))
  if (parsed === null) return 'of the database URL'
  const folder = parsed.searchParams.get('host')
  return folder === null ? `${parsed.host}${parsed.pathname}` : `${parsed.pathname.slice(1)} in ${folder}`
}

/** Throws StartupError when a part of the URL cannot be used: a file that cannot be read, a port that is no number. */
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
    `The URL of the database ${place} cannot be used: its port is no number from 1 to 65535.`,
  )
}
