// The numbers that the public port keeps to, with their defaults.

export interface ProxyLimits {
  /** Connections open at once; one over is refused at accept. */
  readonly maxConnections: number
  readonly maxHeaders: number
  /** Bytes of request line and headers together. */
  readonly maxHeaderBytes: number
  readonly maxTargetLength: number
  /** Requests of one connection that wait for their answers at once (pipelining). */
  readonly maxPipelined: number
  /** For the next bytes of a request body. ms */
  readonly bodyIdleTimeoutMs: number
  /** For the headers to arrive. ms */
  readonly headersTimeoutMs: number
  /** An idle connection is kept this long. ms */
  readonly keepAliveTimeoutMs: number
  /** How often timeouts are looked at. ms */
  readonly deadlineIntervalMs: number
}

export const DEFAULT_PROXY_LIMITS: ProxyLimits = {
  maxConnections: 50_000,
  maxHeaders: 200,
  maxHeaderBytes: 32 * 1024,
  maxTargetLength: 16 * 1024,
  maxPipelined: 64,
  bodyIdleTimeoutMs: 60_000,
  headersTimeoutMs: 10_000,
  keepAliveTimeoutMs: 75_000,
  deadlineIntervalMs: 200,
}
