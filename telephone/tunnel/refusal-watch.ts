// Detects from events that a Telephone cannot serve without an action of its operator: the token is refused, the address
// is not a Plugboard, or each service is refused. `connect()` rejects then, and `telephone http` ends. A Plugboard that is
// down, starts or has lost its database does not count, because it recovers without such an action.

import { ERRORS, type ErrorCode, VeraError } from '@vera-stack/shared/errors.ts'
import type { AnnouncedService, DialFailure, TelephoneEvent } from '../events.ts'
import { sentence } from '../sentence.ts'
import type { Telephone } from '../telephone.ts'
import { displayUrl, tunnelUrl } from './plugboard-url.ts'

export interface ServiceRefusal {
  /** The event that decided; it is not yet reported to listeners that subscribed later. */
  readonly event: TelephoneEvent
  /** `invalid_request` with `field` (`token`, `plugboard`), or the code of the refusal. One line, with the remedy. */
  readonly error: VeraError
}

export class RefusalWatch {
  readonly #telephone: Telephone
  /** Configured addresses, in the form that events use. */
  readonly #urls: ReadonlySet<string>
  readonly #failed = new Set<string>()
  readonly #refused = Promise.withResolvers<ServiceRefusal>()
  readonly #unsubscribe: () => void
  #refusal: ServiceRefusal | undefined
  #accepted = false

  /** Subscribes to the events. `plugboards`: the configured addresses. */
  constructor(telephone: Telephone, plugboards: readonly string[]) {
    this.#telephone = telephone
    this.#urls = new Set(plugboards.map(url => displayUrl(tunnelUrl(url))))
    this.#unsubscribe = telephone.subscribe(event => this.#onEvent(event))
  }

  /** Resolves at the first refusal. Without a refusal it stays pending. */
  get refused(): Promise<ServiceRefusal> {
    return this.#refused.promise
  }

  get refusal(): ServiceRefusal | undefined {
    return this.#refusal
  }

  stop(): void {
    this.#unsubscribe()
  }

  #onEvent(event: TelephoneEvent): void {
    switch (event.kind) {
      case 'dial_failed':
        this.#dialFailed(event)
        return
      case 'tunnel_ready':
        this.#failed.clear()
        return
      case 'tunnel_lost':
        if (event.permanent && !this.#serves) this.#decide(event, lossError(event))
        return
      case 'announced':
        this.#announced(event)
        return
      default:
    }
  }

  /** A token counts everywhere. An address counts for itself, so each of several has to fail. */
  #dialFailed(event: Extract<TelephoneEvent, { kind: 'dial_failed' }>): void {
    const { url, error } = event
    if (!error.permanent) {
      this.#failed.delete(url)
      return
    }
    this.#failed.add(url)
    if (this.#serves) return
    if (error.concernsToken || [...this.#urls].every(each => this.#failed.has(each))) {
      this.#decide(event, dialFailureError(url, error))
    }
  }

  /** Applies only before the first accepted service. Later refusals depend on routes and other telephones, and may end. */
  #announced(event: Extract<TelephoneEvent, { kind: 'announced' }>): void {
    const { results } = event
    this.#accepted ||= results.some(({ accepted }) => accepted)
    if (this.#accepted || results.length === 0 || results.some(endsByItself)) return
    const text = results.map(({ service, detail = 'refused' }) => `${service}: ${detail}`).join('; ')
    const codes = new Set(results.map(({ code }) => code))
    const [code] = codes
    this.#decide(event, new VeraError(codes.size === 1 && isErrorCode(code) ? code : 'forbidden', text))
  }

  get #serves(): boolean {
    return this.#telephone.state === 'ready'
  }

  #decide(event: TelephoneEvent, error: VeraError): void {
    if (this.#refusal !== undefined) return
    this.#refusal = { event, error }
    this.#refused.resolve(this.#refusal)
  }
}

/** True for a service that Plugboard accepts later without a change of settings, for example when its database is back. */
function endsByItself({ code }: AnnouncedService): boolean {
  return isErrorCode(code) && ERRORS[code].retry === 'always'
}

function dialFailureError(url: string, error: DialFailure): VeraError {
  const { message, code, advice, unauthorized, concernsToken } = error
  const text = `${unauthorized ? `${url} refused the token: ` : concernsToken ? '' : `${url}: `}${sentence(message)}`
  const detail = advice === undefined ? text : `${text} ${advice}`
  if (!unauthorized) {
    const field = concernsToken ? 'token' : 'plugboard'
    return new VeraError('invalid_request', detail, { field, cause: error })
  }
  const known = error.status === 401 ? 'unauthorized' : 'forbidden'
  return new VeraError(isErrorCode(code) ? code : known, detail, { cause: error })
}

function lossError({ url, reason, detail }: Extract<TelephoneEvent, { kind: 'tunnel_lost' }>): VeraError {
  if (reason !== 'unauthorized') {
    return new VeraError('invalid_request', `${url} closed the tunnel: ${sentence(detail)}`, {
      field: 'plugboard',
    })
  }
  const text = `${url} closed the tunnel: ${sentence(detail)} Issue a new token with "plugboard token issue".`
  return new VeraError('unauthorized', text)
}

/** A peer chooses the code, so inherited names of objects must not count. */
function isErrorCode(code: string | undefined): code is ErrorCode {
  return code !== undefined && Object.hasOwn(ERRORS, code)
}
