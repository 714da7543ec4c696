// The header Last-Event-ID of event streams with changes: a client that reconnects continues after the last event that it has.

import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { ReadPosition } from '../../../database/store/changes/log-gap.ts'
import type { Store } from '../../../database/store/store.ts'
import type { AdminEnv } from '../../admin-env.ts'
import { RequestError } from '../../http/problem.ts'
import { positionText } from './change-query.ts'

const HEADER = 'last-event-id'

export const lastEventHeader = (description: string) =>
  z.looseObject({ [HEADER]: positionText.optional().openapi({ description }) })

/** Resolves with the position in the header; without the header, with the position of the newest change. */
export async function lastEventPosition(
  c: Context<AdminEnv>,
  { changes }: Pick<Store, 'changes'>,
): Promise<ReadPosition> {
  const text = c.req.header(HEADER)
  if (text === undefined) return (await changes.continuation({ sequence: 0 })).newest
  const position = positionText.safeParse(text).data
  if (position !== undefined) return position
  const detail = 'is not a position: use the id of an event, or a sequence'
  throw new RequestError('invalid_request', `${HEADER}: ${detail}`, [{ header: HEADER, detail }])
}
