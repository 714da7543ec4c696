// The counters of the public port (common/traffic-counters.ts), and the number of its own error responses by code. No counter
// ever decreases.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import { createCounters, TRAFFIC_COUNTERS, type TrafficCounters } from '../common/traffic-counters.ts'

/** `client_limit`: maxConnectionsPerAddress or the share of a client. `proxy_header`: a trusted proxy sent no PROXY header. */
export type ConnectionRefusal = 'max_connections' | 'client_limit' | 'proxy_header'

export interface ProxyCounters extends TrafficCounters {
  readonly problems: Partial<Record<ErrorCode, number>>
  /** The parts of `connectionsRefused`. */
  readonly refusals: Record<ConnectionRefusal, number>
}

export function createProxyCounters(): ProxyCounters {
  const refusals = { max_connections: 0, client_limit: 0, proxy_header: 0 }
  return { ...createCounters(TRAFFIC_COUNTERS), problems: {}, refusals }
}

export function countProblem({ problems }: ProxyCounters, code: ErrorCode): void {
  problems[code] = (problems[code] ?? 0) + 1
}

export function countRefusal(counters: ProxyCounters, reason: ConnectionRefusal): void {
  counters.connectionsRefused += 1
  counters.refusals[reason] += 1
}
