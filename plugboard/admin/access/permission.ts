// The check of the permission that an operation requires.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { MiddlewareHandler } from 'hono'
import type { AdminKey } from '../../database/store/store.ts'
import type { AdminEnv } from '../admin-env.ts'
import { allows, type Permission } from './scope.ts'

/** Rejects a request whose key lacks the permission. The error names the scope that the key needs. */
export function requirePermission(permission: Permission): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    refuseWithout(permission, c.get('key'))
    await next()
  }
}

/** Throws `forbidden` when the key lacks the permission. */
export function refuseWithout(permission: Permission, { scopes }: Pick<AdminKey, 'scopes'>): void {
  if (allows(scopes, permission)) return
  throw new VeraError('forbidden', `The API key lacks the scope ${permission}.`)
}
