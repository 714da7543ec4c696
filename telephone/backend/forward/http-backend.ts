// An HTTP server beside the Telephone: its connections, in the version of HTTP that its target says, and how its
// Host field is written.

import { type HttpTarget, targetText } from '@vera-stack/shared/backend-target.ts'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { type ClientOptions, createClient } from '../backend-client.ts'
import type { BackendClient, HostRule } from '../backend-exchange.ts'
import type { FailureLog } from '../failure-log.ts'
import type { Backend, Report } from './backend.ts'
import { HttpForward } from './http-forward.ts'

export interface HttpBackendOptions extends ClientOptions {
  /** `preserve`: as the Plugboard gives it (default). `backend`: the target's own. Else: always this text. */
  readonly hostHeader?: string
  /** Reports failures of the backend, and its recovery. Absent: they are not reported. */
  readonly failures?: FailureLog
}

export class HttpBackend implements Backend {
  readonly description: string
  readonly #client: BackendClient
  readonly #failures: FailureLog | undefined

  constructor(target: HttpTarget, clock: Clock, options: HttpBackendOptions = {}) {
    this.description = targetText(target)
    this.#failures = options.failures
    this.#client = createClient(target, clock, hostRule(options.hostHeader, target.authority), options)
  }

  open(stream: Stream, opening: Opening, report: Report | undefined): StreamEvents {
    return new HttpForward(stream, opening, this.#client, report, this.#failures)
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
