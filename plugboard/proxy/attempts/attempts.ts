// The attempts of one request: opens a stream on a line of the route's service, and another stream on another line when an
// attempt fails. An exchange or an upgrade owns it, sends the request into the stream, and handles the response.
//
//   start ──▶ openLine ──▶ streamOpened ──▶ onHead, onData, onEnd ──▶ finish
//     │          ▲              │               │ onAbort, TryTimer, a status of `retryStatuses`
//     │          ├── Retries ◀──┼───────────────┤
//     ▼          │              │               ▼
//     LineWait ──┘              └─ BreakerAdmission.report ─▶ failed
//
// A failed attempt is retried when the application received no part of the request (`delivered: no`), or when there is no
// response yet and the method is idempotent (RFC 9110 section 9.2.2). An attempt with an idempotent method also ends after
// `tryTimeoutMs`, or with a status of `retryStatuses`. A request is retried at most `policy.retries` times, within the retry
// budget, only on lines that it has not used, and never after another timeout, because its time is used up.
//
// The parts exist only when they are needed: a small GET on a healthy line makes none of them.

import { BACKEND_CAUSES } from '@vera-stack/shared/backend-causes.ts'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import { isIdempotent } from '@vera-stack/shared/http/idempotent.ts'
import type { Fields, Stream, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import { type Reason, TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import type { DirectoryRoute } from '../../routes/directory.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import type { BreakerPolicy } from '../../telephones/breaker/circuit-breaker.ts'
import type { Candidate } from '../../telephones/pools/line-pool.ts'
import { type StickySession, stickySession } from '../../telephones/sticky/sticky-session.ts'
import type { SubsetChoice } from '../../telephones/subsets/subset-choice.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import type { BackendAffinity } from '../policy/backend-affinity.ts'
import type { ProxyContext } from '../proxy-context.ts'
import { type AttemptFailure, type FinishedRequest, reportFinished } from '../report/finished-request.ts'
import type { ResponseFields } from '../response/response-fields.ts'
import { relayedFields } from '../response/route-response.ts'
import { bindClient } from '../response/session-field.ts'
import { attemptFailureOf } from './attempt-failure.ts'
import type { AffineConnection, AttemptsOwner } from './attempts-owner.ts'
import { BreakerAdmission } from './breaker-admission.ts'
import { releaseLine, reportFailure, reportResponse, useLine } from './line-use.ts'
import { hasNoTelephone, LineWait, type LineWaitOwner, mayWait } from './line-wait.ts'
import { openLine } from './open-line.ts'
import {
  codeOf,
  detailForClient,
  failureOfStream,
  hasNoLine,
  noResponseInTry,
  type RequestFailure,
} from './request-failure.ts'
import { countRetry, Retries, type RetryOwner, type RetryResult } from './retries.ts'
import { TryTimer, type TryTimerOwner } from './try-timer.ts'

export class Attempts implements RetryOwner, TryTimerOwner, FinishedRequest, LineWaitOwner {
  readonly context: ProxyContext
  readonly request: RoutedRequest
  readonly startedAtMs: number
  /** The policy of the service at the time when the request arrived. */
  readonly policy: ServicePolicy
  /** The sticky session of the client; undefined: the service has none. */
  readonly session: StickySession | undefined
  /** Name of the Telephone that received the last attempt. */
  telephone: string | undefined
  peer: ReplicaId | undefined
  subsetName: string | undefined
  failure: RequestFailure | undefined
  attempts = 0
  failedAttempts: AttemptFailure[] | undefined
  status = 0
  bytesIn = 0
  bytesOut = 0
  code: ErrorCode | undefined
  poolSlot = 0
  line: Candidate | undefined
  sentAtMs: number
  isDelayed = false
  hasHead = false
  headMs: number | undefined
  backendUs: number | undefined
  readonly #owner: AttemptsOwner
  readonly #connection: AffineConnection
  #stream: Stream | undefined
  #retries: Retries | undefined
  #tryTimer: TryTimer | undefined
  #lineWait: LineWait | undefined
  /** Undefined: the service has no breaker. */
  #admission: BreakerAdmission | undefined
  #finished = false

  /** `startedAtMs`: the time of the clock at which the head of the request was complete. */
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
    this.sentAtMs = startedAtMs
    this.#owner = owner
    this.#connection = connection
    this.policy = request.route.service.policy
    this.session = stickySession(
      this.policy,
      this.serviceId,
      request.receivedFields ?? request.opening.fields,
    )
    if (request.authenticatesConnection) connection.authenticated()
    context.active[schemeOf(request)] += 1
  }

  get facts(): RoutedRequest {
    return this.request
  }

  get method(): string {
    return this.request.opening.method
  }

  get route(): DirectoryRoute {
    return this.request.route
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

  get onlyTelephone(): string | undefined {
    return this.request.replay?.telephone
  }

  /** The lines that are not used again for this request. */
  get tried(): readonly Candidate[] | undefined {
    return this.#retries?.tried
  }

  /** The line that leads to the backend connection of this client, when a request has authenticated the connection. */
  get preferred(): Candidate | undefined {
    return this.affinity?.lineOf(this.serviceId)
  }

  get affinity(): BackendAffinity | undefined {
    return this.#connection.affinity
  }

  get endsWithHead(): boolean {
    return this.#owner.endsWithHead
  }

  get canReplay(): boolean {
    return this.#owner.canReplay
  }

  get isUploading(): boolean {
    return this.#owner.isUploading
  }

  /** Starts the first attempt. While lines are recovered after a suspension of this process, the request waits for a line. */
  start(): void {
    const { recovery } = this.context
    const { breaker } = this.policy
    if (breaker !== null && !this.#admits(breaker)) return
    const code = recovery?.unverified === true ? 'no_telephone' : this.#openInTurn()
    if (code === undefined) {
      this.#opened(false)
    } else if (hasNoLine(code) && recovery?.underWay === true) {
      this.#owner.hold()
      recovery.onStep(() => {
        this.isDelayed = true
        if (!this.#finished) this.start()
      })
    } else {
      const refused = this.#wait(code)
      if (refused !== undefined) this.#owner.failed(refused)
    }
  }

  /** Asks the breaker of the service. Responds and returns false when the breaker is open. */
  #admits(policy: BreakerPolicy): boolean {
    this.#admission ??= new BreakerAdmission(this, policy)
    const waitSeconds = this.#admission.request()
    if (waitSeconds !== undefined) this.#owner.circuitOpen(waitSeconds)
    return waitSeconds === undefined
  }

  /** Call at each check of the owner's deadline. An open stream counts as a use of the route. */
  checkDeadline(nowMs: number): void {
    if (this.#stream !== undefined) this.request.route.activity.servedAtMs = nowMs
    else this.#lineWait?.check()
  }

  /** True while the request waits for a line. */
  get isWaiting(): boolean {
    return this.#lineWait?.isWaiting === true
  }

  /** Records the cause of a failure for the access line. Later causes are ignored. */
  explain(cause: string | undefined, detail: string): void {
    this.failure ??= { cause, detail }
  }

  /** Call when the client has sent the last byte of the request body. A slow upload is not a slow response. */
  bodyEnded(): void {
    this.sentAtMs = this.context.clock.now()
    this.#tryTimer?.bodyEnded()
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
    if (response !== undefined && this.session !== undefined && this.line !== undefined)
      bindClient(response.fields, this.session, this.line.process, this.request)
    return response
  }

  /** Resets the stream, unless both halves are complete, and releases its memory. `detail`: for the Telephone's log. */
  drop(reason: Reason, detail?: string): void {
    this.#stream?.reset(reason, detail)
    this.#stream?.release()
    this.#stream = undefined
    this.#releaseLine()
    this.#lineWait?.stop()
  }

  /** Returns the stream of a complete response. The caller releases it; `drop` no longer does. */
  takeStream(): Stream | undefined {
    const stream = this.#stream
    this.#stream = undefined
    return stream
  }

  /** The time of the clock at which the head of the response to this attempt arrived; undefined: it has not. */
  get headAtMs(): number | undefined {
    return this.headMs === undefined ? undefined : this.sentAtMs + this.headMs
  }

  /**
   * Ends the request and writes its access line, once. `status` is never 0. `nowMs`: the time of the clock, if the caller has it. A read
   * of the clock costs 65 ns.
   */
  finish(
    status: number,
    bytesIn: number,
    bytesOut: number,
    code: ErrorCode | undefined,
    nowMs = this.context.clock.now(),
  ): void {
    if (this.#finished) return
    this.#finished = true
    this.context.active[schemeOf(this.request)] -= 1
    this.#releaseLine()
    this.#lineWait?.stop()
    this.#admission?.release()
    this.status = status
    this.bytesIn = bytesIn
    this.bytesOut = bytesOut
    this.code = code
    const { limits } = this.request
    if (limits !== undefined) this.context.limiter.debit(limits.debits, bytesOut, nowMs)
    reportFinished(this.context, this, nowMs)
  }

  // The events of the stream

  onHead(head: StreamResponseHead): void {
    if (!this.hasHead && (head.status >= 200 || head.status === 101)) {
      reportResponse(this, head)
      this.request.traced?.responded(head.status)
      this.#endTry()
      if (head.status >= 502 && this.#retriesStatus(head.status)) return
      this.#admission?.report(head.status >= 500)
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

  openAfterWait(failedBefore: TunnelError | undefined): ErrorCode | undefined {
    this.failure = undefined
    this.isDelayed = true
    const code = openLine(this, 'no_telephone')
    if (code !== undefined) return code
    if (failedBefore !== undefined) countRetry(this, attemptFailureOf(failedBefore) ?? 'other')
    this.#opened(true)
    return undefined
  }

  waited(durationMs: number): void {
    this.context.metrics?.observe(this.request.route.service, 'queue_wait', undefined, durationMs)
  }

  waitFailed(
    code: ErrorCode,
    failure: RequestFailure | undefined,
    failedBefore: TunnelError | undefined,
  ): void {
    if (failedBefore !== undefined) {
      this.#giveUp(codeOf(failedBefore), failedBefore)
      return
    }
    this.failure = failure ?? this.failure
    this.#owner.failed(code)
  }

  /** Waits for a line, when the policy of the service lets the request wait after this error. Returns the code otherwise. */
  #wait(code: ErrorCode, failedBefore?: TunnelError): ErrorCode | undefined {
    if (!mayWait(this.policy)) return code
    this.#lineWait ??= new LineWait(this)
    const refused = this.#lineWait.start(code, failedBefore)
    if (refused === undefined) this.#owner.hold()
    return refused
  }

  /** Waits for a line after a failed attempt, when no telephone can take the request now. */
  #waitsAfter(error: TunnelError): boolean {
    return hasNoTelephone(this.context, this.service) && this.#wait('no_telephone', error) === undefined
  }

  // One attempt

  /** Opens a stream, but not before the requests that wait already. */
  #openInTurn(): ErrorCode | undefined {
    const error = this.policy.queue === null ? undefined : this.context.waiting.errorOf(this.serviceId)
    return error ?? openLine(this, 'no_telephone')
  }

  lineRefused(line: Candidate, code: ErrorCode): void {
    this.#retriesOfRequest().exclude(line)
    this.#attemptFailed(line, code, this.failure)
  }

  /** Records a failed attempt. `code`: see AttemptFailure. */
  #attemptFailed({ line }: Candidate, code: string, failure?: RequestFailure): void {
    const { telephone, replicaId } = line
    this.failedAttempts ??= []
    this.failedAttempts.push({ telephone, replicaId, code, failure, atMs: this.context.clock.now() })
  }

  /** Counts the attempt on its line. */
  streamOpened(stream: Stream, candidate: Candidate): void {
    const { telephone } = candidate.line
    this.#stream = stream
    useLine(this, candidate)
    this.request.traced?.attemptSent(candidate, this.method)
    this.telephone = telephone
    this.peer = candidate.local ? undefined : candidate.line.replicaId
    this.attempts += 1
    if (this.request.subset !== undefined) this.subsetName = candidate.process.subset?.name
    const { activity } = this.request.route
    activity.telephone = telephone
    activity.servedAtMs = this.context.deadlines.nowMs
    const { tryTimeoutMs } = this.policy
    if (tryTimeoutMs !== null && isIdempotent(this.request.opening.method))
      this.#tryTimer = new TryTimer(this, tryTimeoutMs)
  }

  #opened(isRetry: boolean): void {
    if (this.#stream !== undefined) this.#owner.opened(this.#stream, isRetry)
  }

  /** Starts a further attempt after a failed one, or fails the request. `failedOn`: the line of the failed attempt. */
  #aborted(failedOn: Candidate | undefined, error: TunnelError): void {
    // No Telephone limits bodies. From a relay, this reason means that its tunnel cannot carry a head of that size.
    const headTooLarge = error.reason === 'payload_too_large' && failedOn?.local === false
    const code = headTooLarge ? 'headers_too_large' : codeOf(error)
    const { traced } = this.request
    traced?.endAttempt(traced.attempt, code)
    let result: RetryResult = 'refused'
    if (failedOn !== undefined) {
      this.#attemptFailed(failedOn, code, failureOfStream(code, error))
      reportFailure(this, failedOn, error)
      result = this.#retriesOfRequest().afterFailure(failedOn, error, code)
    }
    if (result === 'opened') this.#opened(true)
    else if (result === 'refused' || !this.#waitsAfter(error)) this.#giveUp(code, error)
  }

  // Attempts that Plugboard ends, to repeat them

  /** Starts another attempt after a status of `retryStatuses`. Returns false when the response is relayed to the client. */
  #retriesStatus(status: number): boolean {
    const { retryStatuses } = this.policy
    return retryStatuses.some(each => each === status) && this.#replace('cancelled', String(status))
  }

  tryElapsed(timeoutMs: number): void {
    // A request that cannot be sent again has the time of `responseHeadTimeoutMs`.
    if (!this.canReplay) return
    this.context.counters.tryTimeouts += 1
    this.context.decisions.of(this.serviceId).tryTimeouts += 1
    const detail = noResponseInTry(timeoutMs)
    this.#reportTimeout(detail)
    if (!this.#replace('backend_timeout', 'backend_timeout', detail)) this.#failLate(detail)
  }

  /** Starts another attempt, and ends the current one. Returns false when the current one continues. `code`: of its failure. */
  #replace(reason: Reason, code: string, detail?: string): boolean {
    const { line } = this
    const { traced } = this.request
    const attempt = traced?.attempt
    if (line === undefined || !this.#retriesOfRequest().replace(reason, detail)) return false
    traced?.endAttempt(attempt, code)
    this.#attemptFailed(line, code, detail === undefined ? undefined : { cause: 'response_timeout', detail })
    this.#opened(true)
    return true
  }

  #retriesOfRequest(): Retries {
    this.#retries ??= new Retries(this)
    return this.#retries
  }

  #reportTimeout(detail: string): void {
    if (this.line !== undefined)
      reportFailure(this, this.line, new TunnelError('backend_timeout', { detail }))
  }

  #failLate(detail: string): void {
    this.#admission?.report(true)
    this.explain('response_timeout', detail)
    if (this.line !== undefined) this.#attemptFailed(this.line, 'backend_timeout', this.failure)
    this.drop('backend_timeout', detail)
    this.#owner.failed('backend_timeout', BACKEND_CAUSES.response_timeout.meaning)
  }

  /** Logs a fault of this process as an error. Every other fault is in the access line only. */
  #giveUp(code: ErrorCode, error: TunnelError): void {
    if (error.reason === 'internal_error' && !error.remote) {
      this.context.log.error('stream failed', { requestId: this.request.requestId, err: error })
    }
    if (attemptFailureOf(error) !== undefined) this.#admission?.report(true)
    this.failure = failureOfStream(code, error)
    this.#owner.failed(code, detailForClient(error), error)
  }

  /** Ends the count of the attempt on its line, and returns the line. */
  #releaseLine(): Candidate | undefined {
    this.#endTry()
    return releaseLine(this)
  }

  /** Ends the time limit of the current attempt, and its use of the retry budget. */
  #endTry(): void {
    this.#tryTimer?.cancel()
    this.#tryTimer = undefined
    this.#retries?.endBudget()
  }
}

/** Returns the scheme of the client. A trusted proxy may report other values, which count as plain HTTP. */
function schemeOf({ proto }: RoutedRequest): 'http' | 'https' {
  return proto === 'https' ? 'https' : 'http'
}
