// An HTTP/1.1 server beside the Telephone: its pool, and how its Host field is written.

import { type HttpTarget, targetText } from '@vera-stack/shared/backend-target.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/stream.ts'
import { type ConnectorOptions, createConnector } from '../http1/connector.ts'
import { Pool, type PoolOptions } from '../http1/pool.ts'
import type { HostRule } from '../http1/request-head.ts'
import type { Backend, Report } from './backend.ts'
import { HttpForward } from './http-forward.ts'

export interface HttpBackendOptions extends ConnectorOptions, Partial<PoolOptions> {
  /** `preserve`: as the Plugboard gives it (default). `backend`: the target's own. Else: always this text. */
  readonly hostHeader?: string
}

export class HttpBackend implements Backend {
  readonly description: string
  readonly #pool: Pool
  readonly #hostRule: HostRule

  constructor(target: HttpTarget, clock: Clock, options: HttpBackendOptions = {}) {
    this.description = targetText(target)
    this.#pool = new Pool(createConnector(target, options), clock, options)
    this.#hostRule = hostRule(options.hostHeader, target.authority)
  }

  open(stream: Stream, opening: Opening, report: Report | undefined): StreamEvents {
    return new HttpForward(stream, opening, this.#pool, this.#hostRule, report)
  }

  close(): void {
    this.#pool.close()
  }
}

function hostRule(hostHeader: string | undefined, authority: string): HostRule {
  if (hostHeader === undefined || hostHeader === 'preserve') return { kind: 'preserve', fallback: authority }
  return { kind: 'fixed', host: hostHeader === 'backend' ? authority : hostHeader }
}
