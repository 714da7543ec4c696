// The limits of the public port, with the names and the defaults of their settings (config.ts).

import { DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'

export interface ProxyLimits {
  /** Connections open at the same time; further ones are refused when they are accepted. */
  readonly maxConnections: number
  /** Connections open at the same time from one client address (IPv6: one /64). Trusted proxies and tunnels are not counted. */
  readonly maxConnectionsPerAddress: number
  /** The share of a limited resource that one client address (IPv6: one /64) may hold, in percent; 100: no limit. */
  readonly clientSharePercent: number
  readonly maxHeaders: number
  /** Bytes of request line and headers together. */
  readonly maxHeadBytes: number
  readonly maxTargetBytes: number
  /** Requests of one connection that may wait for their responses at the same time (pipelining). */
  readonly maxPipelined: number
  /** Concurrent requests on one HTTP/2 connection. */
  readonly http2MaxStreams: number
  /** Time limit for the next bytes of a request body, ms. */
  readonly bodyIdleTimeoutMs: number
  /** The lowest accepted rate of a request body, in bytes per second over 30 s; 0: no limit. */
  readonly minBodyRateBytes: number
  /** Time limit for the header section to arrive, ms. */
  readonly headTimeoutMs: number
  /** Time that an idle connection stays open, ms. */
  readonly keepAliveTimeoutMs: number
  /** Time between two checks of the timeouts, ms. */
  readonly deadlineIntervalMs: number
}

/**
 * The limit of connections that have not sent HTTP yet (in their TLS handshake, or before their PROXY header), as a fraction
 * of `maxConnections`. They do not count towards `maxConnections`, so slow handshakes cannot use up the replica's capacity.
 */
export const UNFINISHED_SHARE = 1 / 4

export const DEFAULT_PROXY_LIMITS: ProxyLimits = {
  maxConnections: 20_000,
  maxConnectionsPerAddress: 10_000,
  clientSharePercent: DEFAULT_CLIENT_SHARE_PERCENT,
  maxHeaders: 200,
  maxHeadBytes: 64 * 1024,
  maxTargetBytes: 16 * 1024,
  maxPipelined: 64,
  http2MaxStreams: 128,
  bodyIdleTimeoutMs: 60_000,
  minBodyRateBytes: 0,
  headTimeoutMs: 10_000,
  keepAliveTimeoutMs: 75_000,
  deadlineIntervalMs: 200,
}
