// An HTTP server as a backend: its connections, in the version of HTTP that the target states, and the rule for its
// Host field.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { type HttpTarget, targetText } from '@vera-stack/shared/net/backend-target.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { type ClientOptions, createClient } from '../backend-client.ts'
import type { BackendClient, HostRule } from '../backend-exchange.ts'
import type { FailureLog } from '../failure-log.ts'
import type { Backend, Report } from './backend.ts'
import { HttpForward } from './http-forward.ts'

export interface HttpBackendOptions extends ClientOptions {
  /** `preserve`: the Host field from the Plugboard (default). `backend`: the host of the target. Otherwise: this text. */
  readonly hostHeader?: string
  /** Reports failures of the backend, and its recovery. Absent: they are not reported. */
  readonly failures?: FailureLog
}

export class HttpBackend implements Backend {
  readonly description: string
  readonly #client: BackendClient
  readonly #clock: Clock
  readonly #failures: FailureLog | undefined

  constructor(target: HttpTarget, clock: Clock, options: HttpBackendOptions = {}) {
    this.description = targetText(target)
    this.#clock = clock
    this.#failures = options.failures
    this.#client = createClient(target, clock, hostRule(options.hostHeader, target.authority), options)
  }

  open(stream: Stream, opening: Opening, report: Report | undefined): StreamEvents {
    return new HttpForward(stream, opening, this.#client, this.#clock, report, this.#failures)
  }

  close(): void {
    this.#client.close()
    this.#failures?.close()
  }
}

function hostRule(hostHeader: string | undefined, authority: string): HostRule {
  if (hostHeader === undefined || hostHeader === 'preserve') return { kind: 'preserve', fallback: authority }
  return { kind: 'fixed', host: hostHeader === 'backend' ? authority : hostHeader }
}
