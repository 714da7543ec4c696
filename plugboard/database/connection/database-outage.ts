// Describes why the database cannot be used: its place, the sentence of the server or of the system, and the remedy. It
// separates failures that end by themselves from failures that last until a person changes something. Logs, the start
// and the commands that use the database without the admin API print these texts; clients never receive them.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { errorCodeOf, StartupError } from '../../common/startup-error.ts'
import { databasePlace } from './database-url.ts'

export interface DatabaseOutage {
  /** One or two sentences: the place, the reason, the remedy. */
  readonly text: string
  /** SQLSTATE, or the error code of the system, of DNS or of TLS. */
  readonly code: string | undefined
  /** True when waiting does not help, such as after a wrong password. */
  readonly permanent: boolean
}

/** Error codes of certificates and handshakes. */
export const TLS_CODE =
  /^(SELF_SIGNED|CERT_|UNABLE_TO_|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA|ERR_TLS|ERR_SSL)/

/** Error codes of the server, or texts of the driver, that last until a person changes something. */
const REMEDIES: readonly { readonly matches: RegExp; readonly remedy: string }[] = [
  { matches: /^28P01 /, remedy: 'Correct the user and the password in the database URL.' },
  {
    matches: /^28000 /,
    remedy: 'Correct the user in the database URL, or allow this connection in pg_hba.conf.',
  },
  { matches: /^3D000 /, remedy: 'Create the database, or correct its name in the database URL.' },
  {
    matches: /^42501 /,
    remedy: 'Grant the user of the database URL its rights on the database and on the schema "plugboard".',
  },
  { matches: /client password must be/, remedy: 'Add the password to the database URL.' },
  { matches: /^\S* SASL: /, remedy: 'Correct the password in the database URL.' },
  {
    matches: /does not support SSL/,
    remedy: 'Turn TLS on at the server, or remove sslmode from the database URL.',
  },
  {
    matches: TLS_CODE,
    remedy: 'Correct sslmode and sslrootcert in the database URL, or the certificate of the server.',
  },
]

/** `place`: from `databasePlace`. */
export function describeOutage(error: unknown, place: string): DatabaseOutage {
  if (error instanceof StartupError) return { text: error.message, code: undefined, permanent: true }
  const reason = reasonOf(error)
  const code = errorCodeOf(reason)
  const sentence = reason instanceof Error ? reason.message : String(reason)
  const remedy = REMEDIES.find(({ matches }) => matches.test(`${code ?? ''} ${sentence}`))?.remedy
  // `severity` marks errors that the server has sent.
  const reported = typeof reason === 'object' && reason !== null && 'severity' in reason
  const how = reported ? 'reports' : 'cannot be reached'
  const text = `The database ${place} ${how}: ${sentence.replace(/\.$/, '')}.`
  return {
    text: remedy === undefined ? text : `${text} ${remedy}`,
    code,
    permanent: remedy !== undefined,
  }
}

/** Replaces `database_unavailable` by a StartupError with the reason, for commands that use the database themselves. */
export async function explainOutage<Result>(url: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof VeraError) || error.code !== 'database_unavailable') throw error
    throw new StartupError(describeOutage(error, databasePlace(url)).text, error)
  }
}

function reasonOf(error: unknown): unknown {
  return error instanceof VeraError && error.cause !== undefined ? error.cause : error
}
