// Asks a telephone to run its own health check, after this replica has ejected the process: over the tunnel, or through the replica
// that has the tunnel. Responds to such queries of other replicas.

import { z } from 'zod'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { Line } from '../../registry/line.ts'
import { asTunnelId, type TunnelId } from '../../registry/line-ids.ts'
import type { CheckResult } from './outliers.ts'

const PROBE_QUERY = 'probe'
/** Open queries to one replica. It accepts few of them, and the admin API needs some. */
const MAX_QUERIES = 4

const paramsSchema = z.object({ tunnelId: z.string(), service: z.string() })
const responseSchema = z.object({ health: z.enum(['up', 'down']).nullable() })

export interface HealthProberOptions {
  readonly replicaId: ReplicaId
  /** Probes the telephone of a tunnel of this replica. undefined: the tunnel has closed. */
  readonly probeLocal: (tunnelId: TunnelId, service: string) => Promise<CheckResult> | undefined
  /** Sends a query to another replica. undefined: there are no other replicas. Rejects when it gives no response. */
  readonly query: (id: ReplicaId, name: string, params: object) => Promise<unknown> | undefined
}

export class HealthProber {
  readonly #options: HealthProberOptions
  readonly #open = new Map<ReplicaId, number>()

  constructor(options: HealthProberOptions) {
    this.#options = options
  }

  /** Resolves with the result of the check; undefined: the telephone, or its replica, gave none. Never rejects. */
  async probe({ replicaId, tunnelId, service }: Line): Promise<CheckResult> {
    const own = replicaId === this.#options.replicaId
    return own
      ? this.#options.probeLocal(tunnelId, service)
      : this.#probeRemote(replicaId, { tunnelId, service })
  }

  /** Returns the response to a query of another replica; undefined: the query is not one of this file. */
  respond(name: string, params: unknown): Promise<object> | undefined {
    return name === PROBE_QUERY ? this.#respond(paramsSchema.parse(params)) : undefined
  }

  async #respond({ tunnelId, service }: z.output<typeof paramsSchema>): Promise<object> {
    const health = await this.#options.probeLocal(asTunnelId(tunnelId), service)
    return { health: health ?? null } satisfies z.input<typeof responseSchema>
  }

  async #probeRemote(id: ReplicaId, params: object): Promise<CheckResult> {
    const open = this.#open.get(id) ?? 0
    if (open >= MAX_QUERIES) return undefined
    this.#open.set(id, open + 1)
    try {
      const response = responseSchema.safeParse(await this.#options.query(id, PROBE_QUERY, params))
      return response.data?.health ?? undefined
    } catch {
      // The replica is disconnected, or does not have this query. The ejection time then decides.
      return undefined
    } finally {
      const left = (this.#open.get(id) ?? 1) - 1
      if (left === 0) this.#open.delete(id)
      else this.#open.set(id, left)
    }
  }
}
