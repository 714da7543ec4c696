// The status that a server process reports to `plugboard doctor --container`. `plugboard start` and `plugboard dev` report it
// while they load, while they serve and while they drain.

import type { Logger } from '@vera-stack/shared/log.ts'
import {
  type LocalStatusServer,
  SCOPE_VARIABLE,
  serveLocalStatus,
} from '@vera-stack/shared/process/local-status.ts'
import type { CliContext } from '../api/api-command.ts'

const DETAILS = {
  loading: 'loads its routes and accepts no requests yet',
  ready: 'ready',
  recovering: 'was suspended and connects to the other replicas again',
  draining: 'finishes open requests, then stops',
} as const

export class PhaseStatus {
  readonly #server: LocalStatusServer
  /** The phase of the server; `loading` until there is one. */
  phase: () => keyof typeof DETAILS = () => 'loading'

  constructor({ env }: CliContext, log: Logger) {
    this.#server = serveLocalStatus({
      program: 'plugboard',
      scope: env[SCOPE_VARIABLE],
      status: () => {
        const state = this.phase()
        return { state, detail: DETAILS[state] }
      },
      onProblem: error =>
        log.warn('the socket for "plugboard doctor --container" could not be opened', {
          detail: error.message,
        }),
    })
  }

  close(): Promise<void> {
    return this.#server.close()
  }
}
