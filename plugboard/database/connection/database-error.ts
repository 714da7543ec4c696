// Translates all errors of Postgres into VeraErrors. drizzle wraps them in an error whose message contains the parameters
// (hashes, private keys), so only the error of the driver is kept as the cause.

import dns from 'node:dns'
import { getSystemErrorMap } from 'node:util'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { DrizzleQueryError } from 'drizzle-orm'
import { errorCodeOf, StartupError } from '../../common/startup-error.ts'
import { TLS_CODE } from './database-outage.ts'

/** The error of pg for a failed statement. All its fields come from the server. */
interface ServerError extends Error {
  readonly code: string
  readonly constraint?: string
  readonly detail?: string
  readonly column?: string
}

/** The error of a violated rule of the schema, by the name of the constraint that the server or a trigger reports. */
const CONSTRAINTS: Readonly<Record<string, (error: ServerError) => VeraError>> = {
  routes_terminal_mounts: error =>
    new VeraError('mount_conflict', `${sentences(error)} ${mountRemedy(error)}`, {
      field: 'mount',
      cause: error,
    }),
  routes_mount_living: error =>
    new VeraError('mount_conflict', `Another route has this mount. ${mountRemedy(error)}`, {
      field: 'mount',
      cause: error,
    }),
  routes_service_living: error =>
    new VeraError(
      'conflict',
      `${error.message} Choose another service, or restore it: plugboard service restore`,
      { field: 'service', cause: error },
    ),
  routes_service_id_services_id_fk: error =>
    new VeraError('conflict', 'The service of this route has been deleted. Choose another service.', {
      field: 'service',
      cause: error,
    }),
  services_without_routes: error => new VeraError('conflict', sentences(error), { cause: error }),
  services_name_living: error =>
    new VeraError('conflict', 'A service with this name exists. Choose another name.', {
      field: 'name',
      cause: error,
    }),
  process_overrides_living: error =>
    new VeraError(
      'conflict',
      'The process has an override already. Change it, or delete it: plugboard process resume',
      { field: 'process', cause: error },
    ),
  process_overrides_effect: error =>
    new VeraError(
      'invalid_request',
      'An override has a weight or an ejection. To end it, delete it: plugboard process resume',
      { field: 'weight', cause: error },
    ),
  admin_keys_prefix: error =>
    new VeraError('conflict', 'A key with this prefix exists. Try again.', { field: 'prefix', cause: error }),
  signing_keys_pkey: error =>
    new VeraError('conflict', 'A key with this kid exists. Try again.', { field: 'kid', cause: error }),
  routes_host_form: error =>
    new VeraError(
      'invalid_request',
      'The host of the mount is not a host pattern. Give a name, *.name or *.',
      { field: 'mount', cause: error },
    ),
  routes_mount_path_form: error =>
    new VeraError(
      'invalid_request',
      'The path of the mount is not in normal form. Remove empty segments and dot segments.',
      {
        field: 'mount',
        cause: error,
      },
    ),
  routes_service_or_response: error =>
    new VeraError(
      'invalid_request',
      'A route has a service, or one of the options "redirect" and "respond".',
      {
        field: 'service',
        cause: error,
      },
    ),
  routes_mount_path_reserved: error =>
    new VeraError('invalid_request', 'The path /_plugboard is reserved. Choose another path.', {
      field: 'mount',
      cause: error,
    }),
}

const sentences = (error: ServerError) => (error.detail ? `${error.message} ${error.detail}` : error.message)

/** The trigger of mounts names the other route first in its detail (migrations/0005_route_rules.sql). */
const OTHER_ROUTE = /^Route ([0-9a-f-]{36}) /

function mountRemedy({ detail = '' }: ServerError): string {
  const id = OTHER_ROUTE.exec(detail)?.[1] ?? '<mount or id>'
  return `Choose another mount, or delete the other route: plugboard route rm ${id}`
}

/** Postgres classes and codes of a database that cannot be used now: the same statement may succeed later. */
const UNAVAILABLE = /^(08|28|53|57P|57014|58|25006|3D000|40001|40P01|42501|55P03)/
const PROTOCOL_VIOLATION = '08P01'
/** Codes of the system (sockets, files, DNS) in errors of the driver. Other errors of the driver have only a sentence. */
const SYSTEM_CODES: ReadonlySet<string> = new Set([
  ...[...getSystemErrorMap().values()].map(([code]) => code),
  ...Object.values(dns).filter(value => typeof value === 'string'),
])
const DRIVER = /^SASL: |timeout|terminated|Connection|not queryable|closed|Client has encountered|pool/i

/** Translates an error of drizzle, pg or the system into a VeraError. Returns any other error (a bug) unchanged. */
export function translateError(error: unknown): unknown {
  if (error instanceof VeraError || error instanceof StartupError) return error
  if (error instanceof DrizzleQueryError) return translateError(error.cause ?? new Error('a query failed'))
  if (error instanceof AggregateError && error.errors.length > 0) {
    // Node tried several addresses of one name. The last error represents all of them.
    return translateError(error.errors.at(-1))
  }
  if (isServerError(error)) return translateServerError(error)
  if (error instanceof Error && (isConnectionCode(errorCodeOf(error)) || DRIVER.test(error.message))) {
    return new VeraError('database_unavailable', undefined, { cause: error })
  }
  return error
}

function isConnectionCode(code = ''): boolean {
  return SYSTEM_CODES.has(code) || TLS_CODE.test(code)
}

function translateServerError(error: ServerError): unknown {
  const known = error.constraint === undefined ? undefined : CONSTRAINTS[error.constraint]
  if (known !== undefined) return known(error)
  if (error.code === PROTOCOL_VIOLATION) {
    // A connection pooler uses this code for a message that it does not support. A retry does not help.
    const detail = `The database, or a connection pooler in front of it, refused a message: ${error.message}. PgBouncer needs pool_mode = session or transaction.`
    return new VeraError('database_unavailable', detail, { cause: error })
  }
  if (UNAVAILABLE.test(error.code)) return new VeraError('database_unavailable', undefined, { cause: error })
  if (error.code === '23505' || error.code === '23503' || error.code === '23P01') {
    return new VeraError('conflict', undefined, { cause: error })
  }
  // Violated checks, and values that a column cannot hold (a NUL in a text, a number out of range).
  if (error.code.startsWith('22') || error.code.startsWith('23')) {
    return new VeraError('invalid_request', undefined, {
      cause: error,
      ...(error.column === undefined ? {} : { field: error.column }),
    })
  }
  return error
}

/** True when a transaction conflicted with a concurrent one and can be run again. */
export function isSerializationFailure(error: unknown): boolean {
  const code = errorCodeOf(error instanceof DrizzleQueryError ? error.cause : error)
  return code === '40001' || code === '40P01'
}

/** True for an error that the server sent: it has `severity`. pg does not export its error class as a value under ESM. */
function isServerError(error: unknown): error is ServerError {
  return error instanceof Error && 'severity' in error && typeof errorCodeOf(error) === 'string'
}
