// Keeps the requests of one client connection together behind Plugboard, once one of them has authenticated the
// connection (NTLM, Negotiate). It holds the id by which the Telephone finds the backend connection, and for each service
// the line that leads to this Telephone.

import { randomUUID } from 'node:crypto'
import type { Candidate } from '../../telephones/pools/line-pool.ts'

export class BackendAffinity {
  /** Unique and unguessable, because it gives access to the backend connection of this client. */
  readonly id: string = randomUUID()
  readonly #lines = new Map<string, Candidate>()

  lineOf(service: string): Candidate | undefined {
    return this.#lines.get(service)
  }

  keep(service: string, line: Candidate): void {
    this.#lines.set(service, line)
  }
}
