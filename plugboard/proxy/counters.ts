// What the public port counts: plain numbers that only grow.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'

export interface ProxyCounters {
  connections: number
  /** Refused at accept, over a limit: of all, or of one address. */
  connectionsRefused: number
  /** Of `connections`, those that speak HTTP/2. */
  http2Connections: number
  requests: number
  upgrades: number
  /** Attempts after the first. */
  retries: number
  /** The client went away before its answer was complete. */
  clientAborts: number
  /** Answers cut off after their head. */
  truncated: number
  /** Answers that the proxy itself gave, by code. */
  readonly problems: Partial<Record<ErrorCode, number>>
}

export function createProxyCounters(): ProxyCounters {
  return {
    connections: 0,
    connectionsRefused: 0,
    http2Connections: 0,
    requests: 0,
    upgrades: 0,
    retries: 0,
    clientAborts: 0,
    truncated: 0,
    problems: {},
  }
}

export function countProblem({ problems }: ProxyCounters, code: ErrorCode): void {
  problems[code] = (problems[code] ?? 0) + 1
}
