// Asks all other replicas for data that only they have, and reads their responses. A response counts as missing when this version cannot
// read it. When it can read a part, the replica is listed as missing too, because some of its data is.

import type { z } from '@hono/zod-openapi'
import type { MissingReplicas } from '../bodies/replica.ts'
import { readPartly } from './read-partly.ts'

const UNREADABLE = 'its response has a form that this version cannot read'
const PARTLY_READABLE = 'a part of its response has values that this version cannot read'

/** Asks all other replicas. Never rejects, and is bounded in time (peers/peer-network.ts). */
export type AskReplicas = (
  name: string,
  params: object,
) => Promise<{
  readonly responses: readonly { readonly replicaId: string; readonly value: unknown }[]
  readonly missing: MissingReplicas
}>

export async function askAll<Schema extends z.ZodType>(
  ask: AskReplicas,
  name: string,
  params: object,
  schema: Schema,
): Promise<{
  readonly values: readonly { readonly replicaId: string; readonly value: z.output<Schema> }[]
  readonly missing: MissingReplicas
}> {
  const { responses, missing } = await ask(name, params)
  const values: { readonly replicaId: string; readonly value: z.output<Schema> }[] = []
  const unreadable: MissingReplicas = []
  for (const { replicaId, value } of responses) {
    const read = readPartly(schema, value)
    if (read !== undefined) values.push({ replicaId, value: read.value })
    if (read === undefined) unreadable.push({ id: replicaId, reason: UNREADABLE })
    else if (read.isPartial) unreadable.push({ id: replicaId, reason: PARTLY_READABLE })
  }
  return { values, missing: [...missing, ...unreadable] }
}
