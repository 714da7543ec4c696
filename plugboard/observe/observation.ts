// The parts of one replica that keep and send what it has served: the last failures, the live log, the inspector, and the hub for
// viewers.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { readExchangeSummary } from '@vera-stack/shared/inspect/captured-exchange.ts'
import { readRequestLine } from '@vera-stack/shared/inspect/request-line.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { Inspector } from './exchanges/inspector.ts'
import { FailureRing } from './requests/failure-ring.ts'
import { LiveLog } from './requests/live-log.ts'
import { ObserveHub } from './stream/observe-hub.ts'
import { readTrafficSecond, TRAFFIC_TOPIC, TrafficFeed } from './traffic/traffic-feed.ts'

/** The topic of the live log. */
export const REQUESTS_TOPIC = 'requests'
/** The topic of the summaries of captured exchanges. */
export const EXCHANGES_TOPIC = 'exchanges'

export interface Observation {
  readonly failures: FailureRing
  readonly liveLog: LiveLog
  readonly inspector: Inspector
  readonly traffic: TrafficFeed
  readonly hub: ObserveHub
}

export function createObservation(replicaId: string, clock: Clock, log?: Logger): Observation {
  const liveLog = new LiveLog(replicaId)
  const inspector = new Inspector(clock, log)
  const traffic = new TrafficFeed(replicaId)
  const topics = {
    [REQUESTS_TOPIC]: { source: liveLog, read: readRequestLine },
    [EXCHANGES_TOPIC]: { source: inspector, read: readExchangeSummary },
    [TRAFFIC_TOPIC]: { source: traffic, read: readTrafficSecond },
  }
  const hub = new ObserveHub({ replicaId, topics, clock, log })
  return { failures: new FailureRing(), liveLog, inspector, traffic, hub }
}
