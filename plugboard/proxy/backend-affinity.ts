// What keeps the requests of one client connection together behind Plugboard, once one of them has authenticated the
// connection (NTLM, Negotiate): the id that the Telephone finds the backend connection by, and the line of each service
// that leads to this Telephone.

import { randomUUID } from 'node:crypto'
import type { Candidate } from '../telephones/line-picker.ts'

export class BackendAffinity {
  /** Unique and not to be guessed: to know it is to use the backend connection of this client. */
  readonly id: string = randomUUID()
  readonly #lines = new Map<string, Candidate>()

  lineOf(service: string): Candidate | undefined {
    return this.#lines.get(service)
  }

  keep(service: string, line: Candidate): void {
    this.#lines.set(service, line)
  }
}
