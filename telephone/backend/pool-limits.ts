// The limits and the parts of a connection that the pools of HTTP/1.1 and HTTP/2 have in common.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { Connector } from './connector.ts'
import { DEFAULT_WAIT_LIMITS, type WaitLimits } from './wait-queue.ts'

export interface PoolLimits extends WaitLimits {
  /** Largest number of connections that take requests. Detached ones do not count. */
  readonly maxConnections: number
  /** Largest number of connections that left the pool and are still open: upgraded ones of HTTP/1.1, draining ones of HTTP/2. */
  readonly maxDetached: number
  /** Idle connections are closed after this time, ms. 0: at once. */
  readonly keepAliveMs: number
  /** Time limit until a connection takes requests: TCP, TLS and, for HTTP/2, the backend's SETTINGS, ms. */
  readonly connectTimeoutMs: number
}

/** The defaults that do not depend on the version of HTTP. */
export const DEFAULT_POOL_LIMITS = {
  ...DEFAULT_WAIT_LIMITS,
  maxDetached: Number.POSITIVE_INFINITY,
  connectTimeoutMs: 5000,
} satisfies Partial<PoolLimits>

/** The part of a pool that a connection of every version uses. */
export interface ConnectionOwner<Connection> {
  /** The connection closed before it was ready. */
  onConnectFailed(connection: Connection, error: TunnelError): void
  /** A connection closed that was ready before, or that was destroyed while connecting. */
  onClosed(connection: Connection): void
}

export interface BackendConnectionOptions<Owner> {
  readonly connector: Connector
  readonly owner: Owner
  readonly clock: Clock
  readonly connectTimeoutMs: number
}
