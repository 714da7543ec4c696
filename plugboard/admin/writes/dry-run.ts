// The parameter `dryRun` of writes: the change runs in a transaction that is rolled back, so the response has the same checks,
// conflicts and rows as the real write. Secrets are not in the response.

import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Mutation } from '../../database/store/store.ts'
import type { AdminEnv } from '../admin-env.ts'
import { flagQuery } from '../http/page.ts'

export const dryRunParameter = {
  dryRun: flagQuery(
    'true: check the request as the real write does, with conflicts in the database, and change no row. The response has the ' +
      'row as it would be, no ETag and no secret. `Idempotency-Key` is ignored.',
  ),
} as const

/** The query of a write without further parameters. Other parameters are an error: a misspelled `dryRun` must change no row. */
export const writeQuery = z.strictObject(dryRunParameter)

/** True when the request only checks. Call it in an operation whose query has the parameter. */
export const isDryRun = (c: Context<AdminEnv>): boolean =>
  (c.req.valid('query' as never) as { readonly dryRun?: boolean }).dryRun === true

/** Returns the writer of a request, for the store. */
export const writerOf = (c: Context<AdminEnv>): Mutation =>
  isDryRun(c) ? { ...c.get('by'), dryRun: true } : c.get('by')
