// The attempts of one request: picks a line of the route's service, opens a stream on it, and opens another stream on another
// line when an attempt fails. An exchange or an upgrade owns it, sends the request into the stream, and handles the response.
//
//   start ──▶ #open ──▶ #started ──▶ onHead, onData, onEnd ──▶ finish
//     ▲         ▲                          │ onAbort
//     │         └── retry ◀── #aborted ◀───┘
//     └─ wait for a line           └──▶ failed, or wait for a line (waiting-requests.ts)
//
// A failed attempt is retried when the application received no part of the request (`delivered: no`), or when there is no
// response yet and the method is idempotent (RFC 9110 section 9.2.2). An attempt with an idempotent method also ends after
// `tryTimeoutMs`, or with a status of `retryStatuses`. A request is retried at most `policy.retries` times, within the retry
// budget, only on lines that it has not used, and never after another timeout, because its time is used up.

import { BACKEND_CAUSES } from '@vera-stack/shared/backend-causes.ts'
import type { Timer } from '@vera-stack/shared/clock.ts'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import { isIdempotent } from '@vera-stack/shared/http/idempotent.ts'
import type {
  Fields,
  Opening,
  Stream,
  StreamEvents,
  StreamResponseHead,
} from '@vera-stack/shared/protocol/streams/stream.ts'
import { type Reason, TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import type { BreakerPolicy, CircuitBreaker } from '../../telephones/breaker/circuit-breaker.ts'
import {
  type Candidate,
  isThere,
  type LinePool,
  linesOfProcess,
  type StreamHolder,
} from '../../telephones/picker/line-pool.ts'
import type { PickRequest } from '../../telephones/picker/pick-request.ts'
import { endRetry, takeRetry } from '../../telephones/picker/retry-budget.ts'
import { newSessionValue } from '../../telephones/sticky/bound-process.ts'
import { type StickySession, stickySession } from '../../telephones/sticky/sticky-session.ts'
import type { SubsetChoice } from '../../telephones/subsets/subset-choice.ts'
import type { ClientConnection } from '../connections/client-connection.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import type { ProxyContext } from '../proxy-context.ts'
import type { ResponseFields } from '../response/response-fields.ts'
import { relayedFields } from '../response/route-response.ts'
import { addSessionField } from '../response/session-field.ts'
import { attemptFailureOf } from './attempt-failure.ts'
import { type FinishedRequest, reportFinished } from './finished-request.ts'
import {
  codeOf,
  detailForClient,
  failureOfStream,
  hasNoLine,
  noResponseInTry,
  type RequestFailure,
} from './request-failure.ts'
import { costsBudget, isRetryable } from './retry-rules.ts'
import type { WaitingPlace, WaitingRequest } from './waiting-requests.ts'

/** The part of a client connection that attempts use: it keeps the requests of an authenticated client on one line. */
export type AffineConnection = Pick<ClientConnection, 'affinity' | 'authenticated'>

/** The exchange or upgrade that the attempts belong to. */
export interface AttemptsOwner extends Omit<StreamEvents, 'onAbort'> {
  /** True when the request has no body. */
  readonly endsWithHead: boolean
  /** True when the request can be sent again from its first byte, and no response has started. */
  readonly canReplay: boolean
  /** True while a part of the request body has not arrived. A slow upload is not a slow response. */
  readonly isUploading: boolean
  /** Stops reading from the client until `opened` is called, because no line takes the request yet. */
  hold(): void
  /** Sends the request from its first byte. The stream has sent the head. `isLater`: true for a retry, and after a wait. */
  opened(stream: Stream, isLater: boolean): void
  /** Responds with the error, because no further attempt is possible. `error`: set when a stream failed. */
  failed(code: ErrorCode, detail?: string, error?: TunnelError): void
  /** Responds with `circuit_open`, because the breaker of the service is open. */
  circuitOpen(retryAfterSeconds: number): void
  /** Called when a stream that the owner took with `takeStream` is aborted. Absent when the owner never takes the stream. */
  takenStreamAborted?(error: TunnelError): void
}

export class Attempts implements StreamEvents, StreamHolder, PickRequest, FinishedRequest, WaitingRequest {
  readonly context: ProxyContext
  readonly request: RoutedRequest
  readonly startedAtMs: number
  /** The policy of the service at the time when the request arrived. */
  readonly policy: ServicePolicy
  /** The sticky session of the client; undefined: the service has none. */
  readonly session: StickySession | undefined
  /** Name of the Telephone that received the last attempt. */
  telephone: string | undefined
  subsetName: string | undefined
  failure: RequestFailure | undefined
  poolSlot = 0
  readonly #owner: AttemptsOwner
  readonly #connection: AffineConnection
  #stream: Stream | undefined
  /** The line of the current attempt. */
  #candidate: Candidate | undefined
  /** The lines that are not used again for this request. */
  #tried: Candidate[] | undefined
  #retriesLeft: number
  /** The pool whose retry budget the current attempt uses; undefined when it uses no budget. */
  #retryPool: LinePool | undefined
  /** The timer of `tryTimeoutMs`. */
  #tryTimer: Timer | undefined
  /** The place in the list of waiting requests; undefined: the request does not wait. */
  #place: WaitingPlace | undefined
  /** The failure of the attempt that the wait follows; undefined: the request has had no attempt. */
  #failed: TunnelError | undefined
  /** The time at which the request of the current attempt was sent. */
  #sentAtMs = 0
  /** True once the final head of the response has arrived. */
  #hasHead = false
  /** The breaker that admitted the request, until the request has a result. Undefined: the service has no breaker. */
  #breaker: CircuitBreaker | undefined
  #finished = false

  /** `startedAtMs`: the value of `requestStart`. */
  constructor(
    context: ProxyContext,
    connection: AffineConnection,
    request: RoutedRequest,
    startedAtMs: number,
    owner: AttemptsOwner,
  ) {
    this.context = context
    this.request = request
    this.startedAtMs = startedAtMs
    this.#owner = owner
    this.#connection = connection
    this.policy = request.route.service.policy
    this.session = stickySession(
      this.policy,
      this.serviceId,
      request.receivedFields ?? request.opening.fields,
    )
    this.#retriesLeft = this.policy.retries
    if (request.authenticatesConnection) connection.authenticated()
  }

  get serviceId(): ServiceId {
    return this.request.route.service.id
  }

  /** Name of the service. It changes while the request waits, when the service is renamed. */
  get service(): string {
    return this.request.route.service.name
  }

  /** The stream of the current attempt; undefined before `start`, and after the stream has ended. */
  get stream(): Stream | undefined {
    return this.#stream
  }

  /** The client's group, for limits per client. */
  get client(): string {
    return this.request.opening.client ?? ''
  }

  get key(): number | undefined {
    return this.request.balancingKey
  }

  get subset(): SubsetChoice | undefined {
    return this.request.subset
  }

  /** The lines that are not used again for this request. */
  get tried(): readonly Candidate[] | undefined {
    return this.#tried
  }

  /** The line that leads to the backend connection of this client, when a request has authenticated the connection. */
  get preferred(): Candidate | undefined {
    return this.#connection.affinity?.lineOf(this.serviceId)
  }

  /** Starts the first attempt. While lines are recovered after a suspension of this process, the request waits for a line. */
  start(): void {
    const { recovery } = this.context
    const { breaker } = this.policy
    if (breaker !== null && !this.#admitted(breaker)) return
    const code = recovery?.unverified === true ? 'no_telephone' : this.#openInTurn()
    if (code === undefined) {
      this.#opened(false)
    } else if (hasNoLine(code) && recovery?.underWay === true) {
      this.#owner.hold()
      recovery.onStep(() => {
        if (!this.#finished) this.start()
      })
    } else {
      const refused = this.#wait(code)
      if (refused !== undefined) this.#owner.failed(refused)
    }
  }

  /** Asks the breaker of the service, once. Responds and returns false when the breaker is open. */
  #admitted(policy: BreakerPolicy): boolean {
    if (this.#breaker !== undefined) return true
    const { breakers, clock } = this.context
    const breaker = breakers.of(this.serviceId, this.service, policy)
    const waitMs = breaker.admit(this, clock.now())
    if (waitMs === undefined) {
      this.#breaker = breaker
      return true
    }
    this.#owner.circuitOpen(Math.max(1, Math.ceil(waitMs / 1000)))
    return false
  }

  /** Reports the result of the request to the breaker of the service, once. */
  #settle(failed: boolean): void {
    this.#breaker?.report(this, failed, this.context.clock.now())
    this.#breaker = undefined
  }

  /** Call at each check of the owner's deadline. An open stream counts as a use of the route. */
  checkDeadline(nowMs: number): void {
    if (this.#stream !== undefined) this.#noteUse(nowMs)
    else if (this.#place !== undefined) this.context.waiting.check(this.#place)
  }

  /** True while the request waits for a line. */
  get isWaiting(): boolean {
    return this.#place !== undefined
  }

  /** Records the cause of a failure for the access line. Later causes are ignored. */
  explain(cause: string | undefined, detail: string): void {
    this.failure ??= { cause, detail }
  }

  /** Call when the client has sent the last byte of the request body. A slow upload is not a slow response. */
  bodyEnded(): void {
    this.#sentAtMs = this.context.clock.now()
  }

  /** Fails the request, because the backend is too slow. `detail`: for the access line and the Telephone's log. */
  timeOut(detail: string): void {
    this.#reportTimeout(detail)
    this.#failLate(detail)
  }

  /**
   * Returns the fields of the backend's final response for the client, with the field that binds the client to the process of this
   * attempt, if the service has sticky sessions. Undefined when the fields are not valid HTTP.
   */
  responseFields(head: StreamResponseHead): ResponseFields | undefined {
    const response = relayedFields(head.fields, this.request, this.context.via.response)
    if (response !== undefined) this.#bindClient(response.fields)
    return response
  }

  #bindClient(fields: string[]): void {
    if (this.session === undefined || this.#candidate === undefined) return
    const value = newSessionValue(this.#candidate.process, this.session)
    if (value !== undefined) addSessionField(fields, this.session.service, value, this.request)
  }

  /** Resets the stream, unless both halves are complete, and releases its memory. `detail`: for the Telephone's log. */
  drop(reason: Reason, detail?: string): void {
    this.#stream?.reset(reason, detail)
    this.#stream?.release()
    this.#stream = undefined
    this.#releaseLine()
    this.#stopWaiting()
  }

  /** Returns the stream of a complete response. The caller releases it; `drop` no longer does. */
  takeStream(): Stream | undefined {
    const stream = this.#stream
    this.#stream = undefined
    return stream
  }

  /** Ends the request and writes its access line, once. `status` is never 0. */
  finish(status: number, bytesIn: number, bytesOut: number, code: ErrorCode | undefined): void {
    if (this.#finished) return
    this.#finished = true
    this.#releaseLine()
    this.#stopWaiting()
    this.#breaker?.release(this)
    reportFinished(this, status, bytesIn, bytesOut, code)
  }

  // The events of the stream

  onHead(head: StreamResponseHead): void {
    if (!this.#hasHead && (head.status >= 200 || head.status === 101)) {
      this.#responded(head.status)
      if (head.status >= 502 && this.#retriesStatus(head.status)) return
      this.#settle(head.status >= 500)
    }
    this.#owner.onHead(head)
  }

  onData(chunk: Buffer): void {
    this.#owner.onData(chunk)
  }

  onEnd(trailers: Fields | undefined): void {
    this.#owner.onEnd(trailers)
  }

  onWritable(): void {
    this.#owner.onWritable()
  }

  onAbort(error: TunnelError): void {
    this.#stream = undefined
    const failedOn = this.#releaseLine()
    if (this.#finished) this.#owner.takenStreamAborted?.(error)
    else this.#aborted(failedOn, error)
  }

  // Waiting for a line

  tryStart(): ErrorCode | undefined {
    this.failure = undefined
    const code = this.#open()
    if (code !== undefined) return code
    this.#place = undefined
    if (this.#failed !== undefined) this.context.counters.retries += 1
    this.#opened(true)
    return undefined
  }

  waitFailed(code: ErrorCode, failure: RequestFailure | undefined): void {
    this.#place = undefined
    if (this.#failed !== undefined) {
      this.#giveUp(codeOf(this.#failed), this.#failed)
      return
    }
    this.failure = failure ?? this.failure
    this.#owner.failed(code)
  }

  /** Waits for a line, when the policy of the service lets the request wait after this error. Returns the code otherwise. */
  #wait(code: ErrorCode): ErrorCode | undefined {
    const { queue, holdMs } = this.policy
    if (queue === null && holdMs === 0) return code
    const result = this.context.waiting.add(this, code)
    if (result.kind === 'refused') return result.code
    this.#place = result.place
    this.#owner.hold()
    return undefined
  }

  #stopWaiting(): void {
    if (this.#place === undefined) return
    this.context.waiting.remove(this.#place)
    this.#place = undefined
  }

  /** True when no telephone of the service can take a request: a retry may wait for one. */
  get #hasNoTelephone(): boolean {
    return !this.context.picker
      .candidatesOf(this.service)
      .some(candidate => isThere(candidate) && candidate.upstream.canOpen)
  }

  // One attempt

  /** Opens a stream like `#open`, but not before the requests that wait already. */
  #openInTurn(): ErrorCode | undefined {
    const error = this.policy.queue === null ? undefined : this.context.waiting.errorOf(this.serviceId)
    return error ?? this.#open()
  }

  /** Opens a stream on a line, or returns an error code. `exhausted`: the code when all lines were tried. */
  #open(exhausted: ErrorCode = 'no_telephone'): ErrorCode | undefined {
    const { picker } = this.context
    const { affinity } = this.#connection
    const { opening: bare } = this.request
    const opening = affinity === undefined ? bare : { ...bare, affinity: affinity.id }
    let lastCode = exhausted
    for (;;) {
      const picked = picker.pick(this)
      if (typeof picked === 'string') {
        if (picked === 'exhausted') return lastCode
        this.failure = picker.explain(this.service, picked, this.policy)
        return picked
      }
      try {
        this.#stream = picked.upstream.open(openingFor(opening, picked), this, this.#owner.endsWithHead)
        affinity?.keep(this.serviceId, picked)
        this.#started(picked)
        return undefined
      } catch (error) {
        if (!(error instanceof TunnelError)) {
          // HeadTextError: a string of Plugboard itself cannot be encoded, so the request fails on every line.
          this.context.log.error('stream not opened', { requestId: this.request.requestId, err: error })
          return 'internal_error'
        }
        if (error.reason === 'payload_too_large') return 'headers_too_large'
        lastCode = codeOf(error)
        this.failure = failureOfStream(lastCode, error)
        this.#tried ??= []
        this.#tried.push(picked)
      }
    }
  }

  /** Counts the attempt on its line. Its stream is open, and has sent the head. */
  #started(candidate: Candidate): void {
    const { telephone } = candidate.line
    this.#candidate = candidate
    this.#sentAtMs = this.context.clock.now()
    this.telephone = telephone
    if (this.request.subset !== undefined) this.subsetName = candidate.process.subset?.name
    this.request.route.activity.telephone = telephone
    this.#noteUse(this.context.deadlines.nowMs)
    this.context.picker.acquire(candidate, this)
    this.#hasHead = false
    const { tryTimeoutMs } = this.policy
    if (tryTimeoutMs !== null && this.#isIdempotent) this.#awaitHead(tryTimeoutMs)
  }

  /** Reports the response to the picker: the process has responded, even when the rest of the response fails. */
  #responded(status: number): void {
    this.#hasHead = true
    this.#endTry()
    if (this.#candidate === undefined) return
    const nowMs = this.context.clock.now()
    this.context.picker.responded(this.#candidate, status, nowMs - this.#sentAtMs, nowMs)
  }

  /** Reports a failure before the head of the response to the picker. */
  #reportFailure(candidate: Candidate, error: TunnelError): void {
    const cause = this.#hasHead ? undefined : attemptFailureOf(error)
    if (cause === undefined) return
    const nowMs = this.context.clock.now()
    this.context.picker.failed(candidate, cause, nowMs - this.#sentAtMs, nowMs)
  }

  #opened(isRetry: boolean): void {
    if (this.#stream !== undefined) this.#owner.opened(this.#stream, isRetry)
  }

  /** Starts a further attempt after a failed one, or fails the request. `failedOn`: the line of the failed attempt. */
  #aborted(failedOn: Candidate | undefined, error: TunnelError): void {
    // No Telephone limits bodies. From a relay, this reason means that its tunnel cannot carry a head of that size.
    const headTooLarge = error.reason === 'payload_too_large' && failedOn?.local === false
    const code = headTooLarge ? 'headers_too_large' : codeOf(error)
    if (failedOn !== undefined) this.#reportFailure(failedOn, error)
    if (failedOn === undefined || !this.#mayRetry(error) || !this.#takeBudget(failedOn.pool, error)) {
      this.#giveUp(code, error)
      return
    }
    this.#tried ??= []
    // A Telephone limits the share of a client over all its tunnels, so a retry on another tunnel of it would fail again.
    if (error.reason === 'client_share' && failedOn.local) this.#tried.push(...linesOfProcess(failedOn))
    else this.#tried.push(failedOn)
    this.#retriesLeft -= 1
    if (this.#open(code) !== undefined) {
      this.#endTry()
      this.#failed = error
      const waits = this.#hasNoTelephone && this.#wait('no_telephone') === undefined
      if (!waits) this.#giveUp(code, error)
      return
    }
    this.context.counters.retries += 1
    this.#opened(true)
  }

  // Attempts that Plugboard ends, to repeat them

  /** Starts another attempt after a status of `retryStatuses`. Returns false when the response is relayed to the client. */
  #retriesStatus(status: number): boolean {
    const { retryStatuses } = this.policy
    return retryStatuses.some(each => each === status) && this.#mayRepeat && this.#replace('cancelled')
  }

  /** Waits for the head of the response to the current attempt. */
  #awaitHead(delayMs: number): void {
    this.#tryTimer = this.context.clock.after(delayMs, () => this.#tryElapsed())
  }

  #tryElapsed(): void {
    this.#tryTimer = undefined
    const { tryTimeoutMs } = this.policy
    if (tryTimeoutMs === null) return
    const sentMs = this.#owner.isUploading ? 0 : this.context.clock.now() - this.#sentAtMs
    if (sentMs < tryTimeoutMs) {
      this.#awaitHead(tryTimeoutMs - sentMs)
      return
    }
    // A request that cannot be sent again has the time of `responseHeadTimeoutMs`.
    if (!this.#owner.canReplay) return
    this.context.counters.tryTimeouts += 1
    const detail = noResponseInTry(tryTimeoutMs)
    this.#reportTimeout(detail)
    if (!this.#mayRepeat || !this.#replace('backend_timeout', detail)) this.#failLate(detail)
  }

  /**
   * Ends the current attempt and starts another one. Returns false when no other line takes the request, or when the retry
   * budget is used up. The current attempt then continues.
   */
  #replace(reason: Reason, detail?: string): boolean {
    const stream = this.#stream
    const { failure } = this
    const replaced = this.#releaseLine()
    if (stream === undefined || replaced === undefined) return false
    if (this.#takeBudget(replaced.pool)) {
      this.#tried ??= []
      this.#tried.push(replaced)
      if (this.#open() === undefined) {
        stream.reset(reason, detail)
        stream.release()
        this.#retriesLeft -= 1
        this.context.counters.retries += 1
        this.#opened(true)
        return true
      }
      this.#endTry()
    }
    this.failure = failure
    this.#candidate = replaced
    this.context.picker.acquire(replaced, this)
    return false
  }

  /** Takes a retry from the budget of the service. `error`: the failure of the last attempt; undefined: Plugboard ended it. */
  #takeBudget(pool: LinePool, error?: TunnelError): boolean {
    if (error !== undefined && !costsBudget(error)) return true
    if (takeRetry(pool, this.policy.retryBudgetPercent, this.context.clock.now())) {
      this.#retryPool = pool
      return true
    }
    this.context.counters.retryBudgetExhausted += 1
    return false
  }

  /** True when a further attempt is safe after the application has received the request. */
  get #mayRepeat(): boolean {
    return this.#retriesLeft > 0 && this.#owner.canReplay && this.#isIdempotent
  }

  get #isIdempotent(): boolean {
    return isIdempotent(this.request.opening.method)
  }

  #reportTimeout(detail: string): void {
    if (this.#candidate !== undefined)
      this.#reportFailure(this.#candidate, new TunnelError('backend_timeout', { detail }))
  }

  #failLate(detail: string): void {
    this.#settle(true)
    this.explain('response_timeout', detail)
    this.drop('backend_timeout', detail)
    this.#owner.failed('backend_timeout', BACKEND_CAUSES.response_timeout.meaning)
  }

  #mayRetry(error: TunnelError): boolean {
    if (this.#retriesLeft === 0 || !this.#owner.canReplay) return false
    return error.delivered === 'no' || (isRetryable(error.reason) && this.#isIdempotent)
  }

  /** Logs a fault of this process as an error. Every other fault is in the access line only. */
  #giveUp(code: ErrorCode, error: TunnelError): void {
    if (error.reason === 'internal_error' && !error.remote) {
      this.context.log.error('stream failed', { requestId: this.request.requestId, err: error })
    }
    if (attemptFailureOf(error) !== undefined) this.#settle(true)
    this.failure = failureOfStream(code, error)
    this.#owner.failed(code, detailForClient(error), error)
  }

  /** Records the use of the route for `plugboard route list`. `nowMs`: time of the clock. */
  #noteUse(nowMs: number): void {
    this.request.route.activity.servedAtMs = nowMs
  }

  /** Ends the count of the attempt on its line, and returns the line. */
  #releaseLine(): Candidate | undefined {
    const candidate = this.#candidate
    this.#candidate = undefined
    this.#endTry()
    if (candidate !== undefined) {
      this.context.picker.release(candidate, this)
      if (this.policy.queue !== null) this.context.waiting.streamEnded(this.serviceId)
    }
    return candidate
  }

  /** Ends the time limit of the current attempt, and its use of the retry budget. */
  #endTry(): void {
    this.#tryTimer?.cancel()
    this.#tryTimer = undefined
    if (this.#retryPool === undefined) return
    endRetry(this.#retryPool)
    this.#retryPool = undefined
  }
}

/** Returns the opening with the name of the service that the Telephone announced, because it may be a former name. */
function openingFor(opening: Opening, { line }: Candidate): Opening {
  return line.service === opening.service ? opening : { ...opening, service: line.service }
}
