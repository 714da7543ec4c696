// HTTP/1.1 to one backend: a pool, and an exchange on it for each request.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type {
  BackendClient,
  BackendExchange,
  BackendRequest,
  ExchangeEvents,
  HostRule,
} from '../backend-exchange.ts'
import { type BackendFailure, connectFailure, failureOf } from '../backend-failure.ts'
import type { Connector } from '../connector.ts'
import { Http1Exchange } from './exchange.ts'
import { Pool, type PoolOptions } from './pool/pool.ts'

export class Http1Client implements BackendClient {
  readonly #connector: Connector
  readonly #hostRule: HostRule
  readonly #pool: Pool

  constructor(connector: Connector, clock: Clock, hostRule: HostRule, options: Partial<PoolOptions>) {
    this.#connector = connector
    this.#hostRule = hostRule
    this.#pool = new Pool(connector, clock, options)
  }

  exchange(request: BackendRequest, events: ExchangeEvents): BackendExchange {
    return new Http1Exchange(this.#pool, request, this.#hostRule, events)
  }

  probe(done: (failure: BackendFailure | undefined) => void): () => void {
    const { backend, secure } = this.#connector
    const socket = this.#connector.open(() => done(undefined))
    socket.on('error', error => done(failureOf(connectFailure(error, backend, secure))))
    return () => socket.destroy()
  }

  close(): void {
    this.#pool.close()
  }
}
