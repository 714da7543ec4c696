// What one request's route does to the fields of its answer, wherever that answer comes from. Made before anything is
// decided, so that a refusal can be read by the page that asked, too.

import { equalsIgnoringCase } from '@vera-stack/shared/headers.ts'
import type { Cors } from './cors.ts'
import type { HeaderEdits, TemplateValues } from './header-edits.ts'

export class AnswerEdits {
  readonly #edits: HeaderEdits | undefined
  readonly #cors: Cors | undefined
  readonly #hsts: string | undefined
  readonly #origin: string | undefined
  readonly #values: TemplateValues

  /** `hsts`: undefined: as it is for all routes; empty: none. `origin`: of the page that asks. */
  constructor(
    rules: {
      readonly responseEdits: HeaderEdits | undefined
      readonly cors: Cors | undefined
      readonly hsts: string | undefined
    },
    origin: string | undefined,
    values: TemplateValues,
  ) {
    this.#edits = rules.responseEdits
    this.#cors = rules.cors
    this.#hsts = rules.hsts
    this.#origin = origin
    this.#values = values
  }

  /** Strict-Transport-Security, if the route has a word on it. */
  get hsts(): string | undefined {
    return this.#hsts
  }

  /** Of a backend, or of the route itself. In place. */
  apply(fields: string[]): void {
    this.#edits?.apply(fields, this.#values)
    this.#cors?.apply(fields, this.#origin)
  }

  /** Of a problem: what it says stays as it is, so that clients can rely on it. In place. */
  applyToProblem(fields: string[]): void {
    this.#cors?.apply(fields, this.#origin)
    if (this.#cors === undefined || this.#origin === undefined) return
    // Pages see no other fields than these.
    for (let index = 0; index + 1 < fields.length; index += 2) {
      if (!equalsIgnoringCase(fields[index] as string, 'access-control-expose-headers')) continue
      fields[index + 1] = `${fields[index + 1]}, ${PROBLEM_FIELDS}`
      return
    }
    fields.push('Access-Control-Expose-Headers', PROBLEM_FIELDS)
  }
}

const PROBLEM_FIELDS = 'Plugboard-Error, X-Request-ID, Retry-After'
