// Wrong keys and wrong links share one count for each network address.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import { addressGroup } from '../../../common/net/address-group.ts'
import type { AdminEnv } from '../../admin-env.ts'

/** Returns the group of addresses that the count of failed attempts is for. */
export const bucketOf = (c: Context<AdminEnv>): string =>
  addressGroup(c.env?.incoming?.socket.remoteAddress ?? 'unknown')

/** Returns the error of an address with too many failed attempts, and sets Retry-After. */
export function tooManyFailures(c: Context<AdminEnv>, waitMs: number): VeraError {
  c.header('Retry-After', String(Math.ceil(waitMs / 1000)))
  return new VeraError('rate_limited', 'Too many wrong API keys came from this address.')
}
