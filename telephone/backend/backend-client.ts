// Chooses between http1/ and http2/. The scheme of the target decides, never a response of the backend.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { HttpTarget } from '@vera-stack/shared/net/backend-target.ts'
import type { BackendClient, HostRule } from './backend-exchange.ts'
import { type ConnectorOptions, createConnector } from './connector.ts'
import { Http1Client } from './http1/client.ts'
import type { PoolOptions } from './http1/pool/pool.ts'
import { Http2Client } from './http2/client.ts'

/** Limits for both versions of HTTP. Each version has its own defaults (http1/pool/pool.ts, http2/session-pool.ts). */
export interface ClientOptions extends ConnectorOptions, Partial<PoolOptions> {}

export function createClient(
  target: HttpTarget,
  clock: Clock,
  hostRule: HostRule,
  options: ClientOptions,
): BackendClient {
  const connector = createConnector(target, options)
  if (!target.http2) return new Http1Client(connector, clock, hostRule, options)
  return new Http2Client({ connector, clock, hostRule, secure: target.kind === 'tls', pool: options })
}
