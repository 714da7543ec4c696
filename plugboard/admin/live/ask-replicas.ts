// Asks all other replicas for data that only they have, and reads their responses. A response that this version cannot read counts
// as missing.

import type { z } from '@hono/zod-openapi'
import type { MissingReplicas } from '../bodies/replica.ts'

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
    const parsed = schema.safeParse(value)
    if (parsed.success) values.push({ replicaId, value: parsed.data })
    else unreadable.push({ id: replicaId, reason: 'its response has a form that this version cannot read' })
  }
  return { values, missing: [...missing, ...unreadable] }
}
