// Sends one query to all other replicas at once. The results list each expected replica that gave no response, with the reason.

import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { KnownReplica } from '../known-replicas.ts'
import { QueryError } from './peer-queries.ts'

/** A replica that gave no response to a query, with the reason as a text. */
export interface MissingReplica {
  /** Its id; its address when the id is unknown. */
  readonly id: string
  readonly reason: string
}

export interface QueryResults {
  readonly responses: readonly { readonly replicaId: ReplicaId; readonly value: unknown }[]
  readonly missing: readonly MissingReplica[]
}

/** Returns the replicas that should respond: each one that is linked, or that is known from another source. */
export function expectedReplicas(replicas: readonly KnownReplica[]): readonly KnownReplica[] {
  return replicas.filter(
    ({ linked, leaseMs, record, problem }) => linked || leaseMs > 0 || record !== undefined || problem !== '',
  )
}

/**
 * Collects the responses of all expected replicas. `ask` queries one replica and rejects with QueryError. `unreached` are the
 * addresses at which no replica was found yet. Never rejects, and takes no longer than one query.
 */
export async function queryAll(
  replicas: readonly KnownReplica[],
  unreached: readonly { readonly address: string; readonly problem: string }[],
  ask: (id: ReplicaId) => Promise<unknown>,
): Promise<QueryResults> {
  const responses: { replicaId: ReplicaId; value: unknown }[] = []
  const missing: MissingReplica[] = unreached.map(({ address, problem }) => ({
    id: address,
    reason: problem,
  }))
  await Promise.all(
    expectedReplicas(replicas).map(async ({ id, problem }) => {
      try {
        responses.push({ replicaId: id, value: await ask(id) })
      } catch (error) {
        if (!(error instanceof QueryError)) throw error
        missing.push({ id, reason: problem === '' ? error.message : `${error.message}: ${problem}` })
      }
    }),
  )
  return { responses, missing: missing.sort((left, right) => (left.id < right.id ? -1 : 1)) }
}
