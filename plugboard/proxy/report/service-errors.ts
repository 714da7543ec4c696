// The last failed request of each service on this replica, for `plugboard route test` and the admin API. It is written
// only when a request fails. The number of services is bounded: the service whose failure is oldest is dropped first.

import { ERRORS } from '@vera-stack/shared/errors.ts'
import { redact } from '@vera-stack/shared/log/redact.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import type { ServiceError } from '../../common/service-error.ts'
import type { RequestObserver } from './finished-request.ts'

/** The number of services whose last error is kept. */
const MAX_SERVICES = 1000

/** Records the errors of finished requests. `wallTime`: returns ms since 1970. */
export function recordServiceErrors(errors: ServiceErrors, wallTime: () => number): RequestObserver {
  return ({ route, code, failure, telephone, facts }) => {
    if (route === undefined || code === undefined) return
    errors.note(route.service.id, {
      code,
      message: failure?.detail ?? ERRORS[code].meaning,
      atMs: wallTime(),
      requestId: facts.requestId,
      telephone,
    })
  }
}

export class ServiceErrors {
  readonly #last = new Map<ServiceId, ServiceError>()

  /** Records an error, unless a client caused it. `serviceId`: empty for a route without a service, which has no backend. */
  note(serviceId: ServiceId, error: ServiceError): void {
    if (serviceId === '' || ERRORS[error.code].source === 'client') return
    this.#last.delete(serviceId)
    // The message may quote a Telephone, as the access line does.
    this.#last.set(serviceId, { ...error, message: redact(error.message) })
    if (this.#last.size <= MAX_SERVICES) return
    const [oldest] = this.#last.keys()
    if (oldest !== undefined) this.#last.delete(oldest)
  }

  /** Returns the last errors of at most `limit` services, the newest first. */
  newest(limit: number): readonly (readonly [serviceId: ServiceId, error: ServiceError])[] {
    // The entries are in the order in which they were written.
    return [...this.#last].slice(-limit).reverse()
  }

  lastOf(serviceId: ServiceId): ServiceError | undefined {
    return this.#last.get(serviceId)
  }
}
