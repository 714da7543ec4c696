// The common part of exchanges and upgrades: a stream on a line of the route's service, a retry on another line, and the
// access line at the end. The subclass handles the response.
//
// A failed attempt is retried when the application received no part of the request (`delivered: no`), or when there is no
// response yet and the method is idempotent (RFC 9110 section 9.2.2). A request is retried at most `policy.retries` times, only
// on lines that it has not used, and never after a timeout, because its time is used up.

import { ERRORS, type ErrorCode } from '@vera-stack/shared/errors.ts'
import { isIdempotent } from '@vera-stack/shared/http/idempotent.ts'
import type {
  Fields,
  Opening,
  Stream,
  StreamEvents,
  StreamResponseHead,
} from '@vera-stack/shared/protocol/streams/stream.ts'
import { type Reason, TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ServicePolicy } from '../../routes/service-policy.ts'
import { type Candidate, linesOfProcess, type StreamHolder } from '../../telephones/lines/line-pool.ts'
import { roundedMs } from '../access-log.ts'
import type { ClientConnection, InFlight } from '../connections/client-connection.ts'
import type { Deadlined } from '../deadlines.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import type { ProxyContext } from '../proxy-context.ts'
import { type ResponseFields, readResponseFields } from '../response/response-fields.ts'
import { addRouteFields } from '../response/route-response.ts'
import {
  codeOf,
  detailForClient,
  failureOfStream,
  hasNoLine,
  type RequestFailure,
} from './request-failure.ts'

export abstract class Forwarding implements StreamEvents, InFlight, Deadlined, StreamHolder {
  protected readonly context: ProxyContext
  protected readonly connection: ClientConnection
  protected readonly request: RoutedRequest
  /** The policy of the service at the time when the request arrived. */
  protected readonly policy: ServicePolicy
  protected stream: Stream | undefined
  protected bytesIn = 0
  deadlineSlot: number | undefined
  poolSlot = 0
  /** The time of Deadlines at which a byte was sent or received last. */
  protected activeAtMs: number
  readonly #startedAtMs: number
  #candidate: Candidate | undefined
  #telephone: string | undefined
  #tried: Candidate[] | undefined
  #retriesLeft: number
  #failure: RequestFailure | undefined
  #over = false

  /** `startedAtMs`: the value of `requestStart`. */
  constructor(
    context: ProxyContext,
    connection: ClientConnection,
    request: RoutedRequest,
    startedAtMs: number,
  ) {
    this.context = context
    this.connection = connection
    this.request = request
    this.policy = request.route.service.policy
    this.#retriesLeft = this.policy.retries
    if (request.authenticatesConnection) connection.authenticated()
    connection.add(this)
    context.deadlines.add(this)
    this.activeAtMs = context.deadlines.nowMs
    this.#startedAtMs = startedAtMs
  }

  abstract onHead(head: StreamResponseHead): void
  abstract onData(chunk: Buffer): void
  abstract onEnd(trailers: Fields | undefined): void
  abstract onWritable(): void
  abstract clientGone(): void
  abstract bodyBroke(error: NodeJS.ErrnoException): boolean
  abstract checkDeadline(nowMs: number): void
  /** Called when the stream has failed and the request cannot be retried. */
  protected abstract failed(code: ErrorCode, detail?: string): void
  /** Sends the request again, to `this.stream`. Only called when `canReplay`. */
  protected abstract replay(): void
  /** Called when the first stream is open. */
  protected abstract opened(): void
  /** Stops reading from the client, because the stream opens later. */
  protected abstract hold(): void
  /** True when the request can be sent again from its first byte, and no response has started. */
  protected abstract readonly canReplay: boolean
  /** True when the request has no body. */
  protected abstract readonly endsWithHead: boolean

  /** The client's group, for limits per client. */
  get client(): string {
    return this.request.opening.client ?? ''
  }

  get requestId(): string {
    return this.request.requestId
  }

  /** Returns the fields of a final response for the client: without hop-by-hop fields, and with the fields of the route. */
  responseFields(head: StreamResponseHead): ResponseFields | undefined {
    const response = readResponseFields(head.fields, this.requestId, this.context.via.response)
    if (response === undefined) return undefined
    addRouteFields(response.fields, this.request, 'backend')
    return response
  }

  onAbort(error: TunnelError): void {
    this.stream = undefined
    const failedOn = this.#releaseLine()
    if (this.#over) return
    // No Telephone limits bodies. From a relay, this reason means that its tunnel cannot carry a head of that size.
    const headTooLarge = error.reason === 'payload_too_large' && failedOn?.local === false
    const code = headTooLarge ? 'headers_too_large' : codeOf(error)
    if (failedOn === undefined || this.#retriesLeft === 0 || !this.canReplay || !this.#mayRepeat(error)) {
      this.#giveUp(code, error)
      return
    }
    this.#tried ??= []
    // A Telephone limits the share of a client over all its tunnels, so a retry on another tunnel of it would fail again.
    if (error.reason === 'client_share' && failedOn.local) this.#tried.push(...linesOfProcess(failedOn))
    else this.#tried.push(failedOn)
    this.#retriesLeft -= 1
    if (this.openStream(code) !== undefined) {
      this.#giveUp(code, error)
      return
    }
    this.context.counters.retries += 1
    this.replay()
  }

  /** Opens the first stream. While lines are being recovered after a suspension of this process, the request waits for them. */
  protected begin(): void {
    const { recovery } = this.context
    const code = recovery?.doubtful === true ? 'no_telephone' : this.openStream()
    if (code === undefined) {
      this.opened()
    } else if (hasNoLine(code) && recovery?.underWay === true) {
      this.hold()
      recovery.onStep(() => {
        if (!this.#over) this.begin()
      })
    } else {
      this.failed(code)
    }
  }

  /** Opens the stream on a line, or returns an error code. `exhausted`: the code when all lines were tried. */
  protected openStream(exhausted: ErrorCode = 'no_telephone'): ErrorCode | undefined {
    const { picker } = this.context
    const { service } = this.request.route
    const { affinity } = this.connection
    const { opening: bare } = this.request
    const opening = affinity === undefined ? bare : { ...bare, affinity: affinity.id }
    let lastCode = exhausted
    for (;;) {
      const preferred = affinity?.lineOf(service.id)
      const picked = picker.pick(service.name, this.policy, this.#tried, preferred, this.client)
      if (typeof picked === 'string') {
        if (picked === 'exhausted') return lastCode
        this.#failure = picker.explain(service.name, picked)
        return picked
      }
      try {
        this.stream = picked.upstream.open(openingFor(opening, picked), this, this.endsWithHead)
        affinity?.keep(service.id, picked)
        this.#candidate = picked
        this.#telephone = picked.line.telephone
        this.request.route.activity.telephone = picked.line.telephone
        this.noteUse(this.context.deadlines.nowMs)
        picker.acquire(picked, this)
        return undefined
      } catch (error) {
        if (!(error instanceof TunnelError)) {
          // HeadTextError: a string of Plugboard itself cannot be encoded, so the request fails on every line.
          this.context.log.error('stream not opened', { requestId: this.requestId, err: error })
          return 'internal_error'
        }
        if (error.reason === 'payload_too_large') return 'headers_too_large'
        lastCode = codeOf(error)
        this.#failure = failureOfStream(lastCode, error)
        this.#tried ??= []
        this.#tried.push(picked)
      }
    }
  }

  /** Resets the stream, unless both halves are complete, and releases its memory. `detail`: for the Telephone's log. */
  protected dropStream(reason: Reason, detail?: string): void {
    this.stream?.reset(reason, detail)
    this.stream?.release()
    this.stream = undefined
    this.#releaseLine()
  }

  /** Records the use of the route for `plugboard route list`. `nowMs`: time of the clock. */
  protected noteUse(nowMs: number): void {
    this.request.route.activity.servedAtMs = nowMs
  }

  /** Records the cause of a failure for the access line. Later causes are ignored. */
  protected explain(cause: string | undefined, detail: string): void {
    this.#failure ??= { cause, detail }
  }

  protected active(): void {
    this.activeAtMs = this.context.deadlines.nowMs
  }

  /** Ends the request and writes its access line, once. `status` is never 0. */
  protected finish(status: number, bytesOut: number, code: ErrorCode | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#releaseLine()
    const failure = code === undefined ? undefined : this.#failure
    if (code !== undefined) this.#noteError(code, failure)
    const { access } = this.context
    if (access === undefined) return
    const { opening, route, host, path, requestId } = this.request
    access({
      requestId,
      method: opening.method,
      host,
      path,
      status,
      durationMs: roundedMs(this.context.clock.now() - this.#startedAtMs),
      bytesIn: this.bytesIn,
      bytesOut,
      remoteAddress: this.request.clientAddress,
      route: route.id,
      mount: route.mount,
      service: route.service.name || undefined,
      telephoneId: this.#telephone,
      code,
      cause: failure?.cause,
      detail: failure?.detail,
    })
  }

  #noteError(code: ErrorCode, failure: RequestFailure | undefined): void {
    const { clock, serviceErrors } = this.context
    const message = failure?.detail ?? ERRORS[code].meaning
    serviceErrors.note(this.request.route.service.id, {
      code,
      message,
      atMs: clock.wallTime(),
      requestId: this.requestId,
      telephone: this.#telephone,
    })
  }

  /** Removes the request from the deadlines and the connection. */
  protected leave(): void {
    this.context.deadlines.delete(this)
    this.connection.remove(this)
  }

  /** Logs a fault of this process as an error. Every other fault is in the access line only. */
  #giveUp(code: ErrorCode, error: TunnelError): void {
    if (error.reason === 'internal_error' && !error.remote) {
      this.context.log.error('stream failed', { requestId: this.requestId, err: error })
    }
    this.#failure = failureOfStream(code, error)
    this.failed(code, detailForClient(error))
  }

  #releaseLine(): Candidate | undefined {
    const candidate = this.#candidate
    this.#candidate = undefined
    if (candidate !== undefined) this.context.picker.release(candidate, this)
    return candidate
  }

  #mayRepeat(error: TunnelError): boolean {
    return (
      error.delivered === 'no' ||
      (repeatableReason(error.reason) && isIdempotent(this.request.opening.method))
    )
  }
}

function repeatableReason(reason: Reason): boolean {
  switch (reason) {
    case 'session_lost':
    case 'going_away':
    case 'replaced':
    case 'ping_timeout':
    case 'internal_error':
    case 'protocol_error':
    case 'backend_closed':
      return true
    default:
      return false
  }
}

/** Returns the opening with the name of the service that the Telephone announced, because it may be a former name. */
function openingFor(opening: Opening, { line }: Candidate): Opening {
  return line.service === opening.service ? opening : { ...opening, service: line.service }
}
