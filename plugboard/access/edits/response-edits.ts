// The edits of a route to the fields of its responses, by the source of the response. They are prepared before the access
// rules are checked, so that the web page that sent the request can read a refusal as well.

import { equalsIgnoringCase } from '@vera-stack/shared/http/headers.ts'
import type { Cors } from './cors.ts'
import type { HeaderEdits, TemplateValues } from './header-edits.ts'

/**
 * `backend`: a response of the backend, including a 101. `route`: a redirect, a fixed response, or the final response for
 * Max-Forwards. `preflight`: the response to a preflight. `plugboard`: a problem, or the redirect to HTTPS.
 */
export type ResponseSource = 'backend' | 'route' | 'preflight' | 'plugboard'

export class AnswerEdits {
  readonly #edits: HeaderEdits | undefined
  readonly #cors: Cors | undefined
  readonly #hsts: string | undefined
  readonly #origin: string | undefined
  readonly #values: TemplateValues

  /** `hsts`: see the getter. `origin`: the origin of the web page that sent the request. */
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

  /** Strict-Transport-Security of the route. Empty: the field is not sent. Undefined: the setting for all routes applies. */
  get hsts(): string | undefined {
    return this.#hsts
  }

  /** Edits fields in place. Problems and the redirect to HTTPS keep their fields, so that clients can rely on them. */
  apply(fields: string[], source: ResponseSource): void {
    if (source !== 'plugboard') this.#edits?.apply(fields, this.#values)
    // The response to a preflight has the CORS fields of a preflight.
    if (source !== 'preflight') this.#cors?.apply(fields, this.#origin)
    if (source === 'plugboard') this.#exposeProblemFields(fields)
  }

  #exposeProblemFields(fields: string[]): void {
    if (this.#cors === undefined || this.#origin === undefined) return
    // A web page can read only the fields in this list.
    for (let index = 0; index + 1 < fields.length; index += 2) {
      if (!equalsIgnoringCase(fields[index] as string, 'access-control-expose-headers')) continue
      fields[index + 1] = `${fields[index + 1]}, ${PROBLEM_FIELDS}`
      return
    }
    fields.push('Access-Control-Expose-Headers', PROBLEM_FIELDS)
  }
}

const PROBLEM_FIELDS = 'Plugboard-Error, X-Request-ID, Retry-After, RateLimit, RateLimit-Policy'
