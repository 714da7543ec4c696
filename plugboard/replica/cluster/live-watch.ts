// The live data of all replicas for the admin API: watches this replica and its peers, and lists the replicas that send no items.

import type { LiveRequests, LiveTraffic, LiveWatch } from '../../admin/admin-env.ts'
import { EXCHANGES_TOPIC, REQUESTS_TOPIC } from '../../observe/observation.ts'
import type { ObserveHub } from '../../observe/stream/observe-hub.ts'
import type { ObserveViewer } from '../../observe/stream/observe-viewer.ts'
import { TRAFFIC_TOPIC } from '../../observe/traffic/traffic-feed.ts'
import type { PeerNetwork } from '../../peers/peer-network.ts'

export interface LiveWatchOptions {
  readonly replicaId: string
  readonly hub: ObserveHub
  /** Undefined without other replicas. */
  readonly network: Pick<PeerNetwork, 'observed' | 'subscribe'> | undefined
}

export function createLiveRequests(options: LiveWatchOptions): LiveRequests {
  return {
    watch: (filter, viewer) => watchTopic(options, REQUESTS_TOPIC, filter, filter.replica, viewer),
    watchExchanges: (params, viewer) =>
      watchTopic(options, EXCHANGES_TOPIC, params, params.filter.replica, viewer),
  }
}

export function createLiveTraffic(options: LiveWatchOptions): LiveTraffic {
  return { watch: (params, viewer) => watchTopic(options, TRAFFIC_TOPIC, params, undefined, viewer) }
}

/** `only`: the only replica to watch; undefined: all. */
function watchTopic(
  { replicaId, hub, network }: LiveWatchOptions,
  topic: string,
  params: object,
  only: string | undefined,
  viewer: ObserveViewer,
): LiveWatch {
  const watch = hub.watch(topic, params, viewer, only)
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
}
