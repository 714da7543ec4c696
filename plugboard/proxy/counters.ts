// The counters of the public port (common/traffic-counters.ts), and the number of its own error responses by code. No counter
// ever decreases.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import { createCounters, TRAFFIC_COUNTERS, type TrafficCounters } from '../common/traffic-counters.ts'

export interface ProxyCounters extends TrafficCounters {
  readonly problems: Partial<Record<ErrorCode, number>>
}

export function createProxyCounters(): ProxyCounters {
  return { ...createCounters(TRAFFIC_COUNTERS), problems: {} }
}

export function countProblem({ problems }: ProxyCounters, code: ErrorCode): void {
  problems[code] = (problems[code] ?? 0) + 1
}
