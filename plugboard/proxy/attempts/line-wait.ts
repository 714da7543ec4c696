// The wait of one request for a line, with its place in the list of its service (waiting-requests.ts). Attempts creates it when
// the request waits for the first time, before an attempt or after a failed one.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import { isAvailable } from '../../telephones/pools/line-pool.ts'
import type { ProxyContext } from '../proxy-context.ts'
import type { RequestFailure } from './request-failure.ts'
import type { WaitingPlace, WaitingRequest } from './waiting-requests.ts'

/** The request that waits. */
export interface LineWaitOwner {
  readonly context: ProxyContext
  readonly serviceId: ServiceId
  readonly service: string
  readonly client: string
  readonly policy: ServicePolicy
  /**
   * Opens a stream, and sends the request into it when that succeeds. Returns the error code otherwise. `failedBefore`: the failure
   * of the attempt that the wait has followed.
   */
  openAfterWait(failedBefore: TunnelError | undefined): ErrorCode | undefined
  /** Measures a wait that has ended. */
  waited(durationMs: number): void
  /** Fails the request. */
  waitFailed(
    code: ErrorCode,
    failure: RequestFailure | undefined,
    failedBefore: TunnelError | undefined,
  ): void
}

export class LineWait implements WaitingRequest {
  readonly #owner: LineWaitOwner
  /** The place in the list; undefined: the request does not wait now. */
  #place: WaitingPlace | undefined
  /** The failure of the attempt that the wait follows; undefined: the request has had no attempt. */
  #failedBefore: TunnelError | undefined

  constructor(owner: LineWaitOwner) {
    this.#owner = owner
  }

  get serviceId(): ServiceId {
    return this.#owner.serviceId
  }

  get service(): string {
    return this.#owner.service
  }

  get client(): string {
    return this.#owner.client
  }

  get policy(): ServicePolicy {
    return this.#owner.policy
  }

  get isWaiting(): boolean {
    return this.#place !== undefined
  }

  /** Takes a place in the list after this error. Returns the error code when there is no place for the request. */
  start(code: ErrorCode, failedBefore?: TunnelError): ErrorCode | undefined {
    const result = this.#owner.context.waiting.add(this, code)
    if (result.kind === 'refused') return result.code
    this.#place = result.place
    this.#failedBefore = failedBefore
    return undefined
  }

  /** Call at each check of the request's deadline. */
  check(): void {
    if (this.#place !== undefined) this.#owner.context.waiting.check(this.#place)
  }

  /** Releases the place, because the request has ended. */
  stop(): void {
    if (this.#place !== undefined) this.#owner.context.waiting.remove(this.#place)
    this.#place = undefined
  }

  tryStart(): ErrorCode | undefined {
    const place = this.#place
    this.#place = undefined
    const code = this.#owner.openAfterWait(this.#failedBefore)
    if (code !== undefined) this.#place = place
    return code
  }

  waited(durationMs: number): void {
    this.#owner.waited(durationMs)
  }

  waitFailed(code: ErrorCode, failure: RequestFailure | undefined): void {
    this.#place = undefined
    this.#owner.waitFailed(code, failure, this.#failedBefore)
  }
}

/** True when the policy of the service lets some requests wait for a line. */
export function mayWait({ queue, holdMs }: ServicePolicy): boolean {
  return queue !== null || holdMs > 0
}

/** True when no telephone of the service can take a request: a retry may wait for one. */
export function hasNoTelephone({ picker }: ProxyContext, service: string): boolean {
  return !picker.candidatesOf(service).some(candidate => isAvailable(candidate) && candidate.upstream.canOpen)
}
