// The parts of one replica that keep and send what it has served: the last failures, the live log, and the hub for viewers.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { FailureRing } from './requests/failure-ring.ts'
import { LiveLog } from './requests/live-log.ts'
import { readRequestLine } from './requests/request-line.ts'
import { ObserveHub } from './stream/observe-hub.ts'

/** The topic of the live log. */
export const REQUESTS_TOPIC = 'requests'

export interface Observation {
  readonly failures: FailureRing
  readonly liveLog: LiveLog
  readonly hub: ObserveHub
}

export function createObservation(replicaId: string, clock: Clock): Observation {
  const liveLog = new LiveLog(replicaId)
  const topics = { [REQUESTS_TOPIC]: { source: liveLog, read: readRequestLine } }
  return { failures: new FailureRing(), liveLog, hub: new ObserveHub({ replicaId, topics, clock }) }
}
