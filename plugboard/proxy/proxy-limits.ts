// The numbers that the public port keeps to, under the names and with the defaults of their settings (config.ts).

import { DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'

export interface ProxyLimits {
  /** Connections open at once; one over is refused at accept. */
  readonly maxConnections: number
  /** The same of one client address (IPv6: of one /64). Trusted proxies and tunnels are not counted. */
  readonly maxConnectionsPerAddress: number
  /** How much of a limited resource one client address (IPv6: one /64) may hold, in percent; 100: no limit. */
  readonly clientSharePercent: number
  readonly maxHeaders: number
  /** Bytes of request line and headers together. */
  readonly maxHeadBytes: number
  readonly maxTargetBytes: number
  /** Requests of one connection that wait for their answers at once (pipelining). */
  readonly maxPipelined: number
  /** Requests of one HTTP/2 connection at once. */
  readonly http2MaxStreams: number
  /** For the next bytes of a request body. ms */
  readonly bodyIdleTimeoutMs: number
  /** Slowest request body that is taken, bytes per second over 30 s; 0: any. */
  readonly minBodyRateBytes: number
  /** For the headers to arrive. ms */
  readonly headTimeoutMs: number
  /** An idle connection is kept this long. ms */
  readonly keepAliveTimeoutMs: number
  /** How often timeouts are looked at. ms */
  readonly deadlineIntervalMs: number
}

/**
 * Connections that have not begun with HTTP (in their TLS handshake, or before their PROXY header), per connection of
 * `maxConnections`. They do not count as connections, so that slow handshakes cannot fill the replica.
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
