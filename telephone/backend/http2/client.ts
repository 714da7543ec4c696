// HTTP/2 to one backend: a pool of connections, and an exchange on it for each request.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type {
  BackendClient,
  BackendExchange,
  BackendRequest,
  ExchangeEvents,
  HostRule,
} from '../backend-exchange.ts'
import { type BackendFailure, failureOf } from '../backend-failure.ts'
import type { Connector } from '../connector.ts'
import type { PoolLimits } from '../pool-limits.ts'
import { Http2Exchange } from './exchange.ts'
import type { BackendSession } from './session.ts'
import { SessionPool } from './session-pool.ts'

export interface Http2ClientOptions {
  readonly connector: Connector
  readonly clock: Clock
  readonly hostRule: HostRule
  /** True when the connector uses TLS. */
  readonly secure: boolean
  readonly pool: Partial<PoolLimits>
}

export class Http2Client implements BackendClient {
  readonly #hostRule: HostRule
  readonly #scheme: 'http' | 'https'
  readonly #pool: SessionPool

  constructor({ connector, clock, hostRule, secure, pool }: Http2ClientOptions) {
    this.#hostRule = hostRule
    this.#scheme = secure ? 'https' : 'http'
    this.#pool = new SessionPool(connector, secure, clock, pool)
  }

  exchange(request: BackendRequest, events: ExchangeEvents): BackendExchange {
    return new Http2Exchange(this.#pool, request, this.#hostRule, this.#scheme, events)
  }

  /** Checks that a connection can be made and that the backend sends SETTINGS. A backend without HTTP/2 fails. */
  probe(done: (failure: BackendFailure | undefined) => void): () => void {
    const waiter = {
      client: '',
      onSession: (_session: BackendSession) => done(undefined),
      onNoConnection: (error: TunnelError) => done(failureOf(error)),
    }
    this.#pool.acquire(waiter)
    return () => this.#pool.cancel(waiter)
  }

  close(): void {
    this.#pool.close()
  }
}
