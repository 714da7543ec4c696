// The live log of all replicas for the admin API: watches this replica and its peers, and lists the replicas that send no lines.

import type { LiveRequests } from '../../admin/admin-env.ts'
import { REQUESTS_TOPIC } from '../../observe/observation.ts'
import type { ObserveHub } from '../../observe/stream/observe-hub.ts'
import type { PeerNetwork } from '../../peers/peer-network.ts'

export interface LiveRequestsOptions {
  readonly replicaId: string
  readonly hub: ObserveHub
  /** Undefined without other replicas. */
  readonly network: Pick<PeerNetwork, 'observed' | 'subscribe'> | undefined
}

export function createLiveRequests({ replicaId, hub, network }: LiveRequestsOptions): LiveRequests {
  return {
    watch(filter, viewer) {
      const { replica: only } = filter
      const watch = hub.watch(REQUESTS_TOPIC, filter, viewer, only)
      const unsubscribe = network?.subscribe(() => viewer.replicasChanged())
      const isAsked = (id: string): boolean => only === undefined || only === id
      return {
        replicas() {
          const others = (network?.observed() ?? []).filter(({ id }) => isAsked(id))
          const problems = others.flatMap(({ id, problem }) => {
            const { state, reason } = watch.replicas.get(id) ?? { state: 'asked', reason: '' }
            if (problem === undefined && state === 'watched') return []
            return [{ id, reason: problem ?? (reason || 'it has not responded yet') }]
          })
          const unknown =
            only === undefined || only === replicaId || others.length > 0
              ? []
              : [{ id: only, reason: 'this cluster has no such replica' }]
          const missing = [...problems, ...unknown]
          const watched = others.filter(({ id }) => missing.every(each => each.id !== id)).map(({ id }) => id)
          return { watched: isAsked(replicaId) ? [replicaId, ...watched] : watched, missing }
        },
        close() {
          unsubscribe?.()
          watch.close()
        },
      }
    },
  }
}
