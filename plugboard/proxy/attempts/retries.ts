// The retries of one request: whether a further attempt is allowed, the lines that are not used again, and the part of the retry
// budget that the current attempt uses. Attempts creates it with the first failure, so most requests have none.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import { isIdempotent } from '@vera-stack/shared/http/idempotent.ts'
import type { Stream } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { Reason, TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { RetryReason } from '../../common/service-decisions.ts'
import { endRetry, takeRetry } from '../../telephones/picker/retry-budget.ts'
import { type Candidate, type LinePool, linesOfProcess } from '../../telephones/pools/line-pool.ts'
import { attemptFailureOf } from './attempt-failure.ts'
import { countOnLine, type LineUse, releaseLine } from './line-use.ts'
import { type LineSeeker, openLine } from './open-line.ts'
import { costsBudget, isRetryable } from './retry-rules.ts'

export interface RetryOwner extends LineSeeker, LineUse {
  /** The stream of the current attempt. */
  readonly stream: Stream | undefined
  /** True when the request can be sent again from its first byte, and no response has started. */
  readonly canReplay: boolean
}

/** `opened`: the stream of a further attempt is open. `no_line`: no line took it. `refused`: no further attempt is allowed. */
export type RetryResult = 'opened' | 'no_line' | 'refused'

export class Retries {
  readonly #owner: RetryOwner
  /** The number of attempts that may follow the current one. */
  #left: number
  /** The pool whose retry budget the current attempt uses; undefined when it uses no budget. */
  #pool: LinePool | undefined
  #tried: Candidate[] | undefined

  constructor(owner: RetryOwner) {
    this.#owner = owner
    this.#left = owner.policy.retries
  }

  /** The lines that are not used again for this request; undefined: each line may be used. */
  get tried(): readonly Candidate[] | undefined {
    return this.#tried
  }

  /** Excludes the line from later attempts. `error`: the failure of its attempt; undefined: Plugboard ended it. */
  exclude(line: Candidate, error?: TunnelError): void {
    this.#tried ??= []
    // A Telephone limits the share of a client over all its tunnels, so a retry on another tunnel of it would fail again.
    if (error?.reason === 'client_share' && line.local) this.#tried.push(...linesOfProcess(line))
    else this.#tried.push(line)
  }

  /** Opens another stream after the attempt on this line has failed. `exhausted`: the code when all lines were tried. */
  afterFailure(line: Candidate, error: TunnelError, exhausted: ErrorCode): RetryResult {
    if (!this.#mayRetry(error) || !this.#takeBudget(line.pool, error)) return 'refused'
    this.exclude(line, error)
    this.#left -= 1
    if (openLine(this.#owner, exhausted) !== undefined) {
      this.endBudget()
      return 'no_line'
    }
    countRetry(this.#owner, attemptFailureOf(error) ?? 'other')
    return 'opened'
  }

  /**
   * Opens another stream, then ends the current attempt. Returns false when the request cannot be repeated, when no other line
   * takes it, or when the retry budget is used up. The current attempt then continues.
   */
  replace(reason: Reason, detail?: string): boolean {
    const { stream, line, failure, canReplay } = this.#owner
    const mayRepeat = this.#left > 0 && canReplay && this.#isIdempotent
    if (!mayRepeat || stream === undefined || line === undefined) return false
    this.endBudget()
    releaseLine(this.#owner)
    if (!this.#opensAnother(line)) {
      this.#owner.failure = failure
      countOnLine(this.#owner, line)
      // The stream is counted again, but it is no new one. Otherwise the retry budget would grow with each failure.
      line.pool.opened -= 1
      return false
    }
    stream.reset(reason, detail)
    stream.release()
    this.#left -= 1
    countRetry(this.#owner, reason === 'backend_timeout' ? 'timeout' : 'status')
    return true
  }

  #opensAnother(line: Candidate): boolean {
    if (!this.#takeBudget(line.pool)) return false
    this.exclude(line)
    if (openLine(this.#owner, 'no_telephone') === undefined) return true
    this.endBudget()
    return false
  }

  /** Call when the head of the response has arrived, or when the attempt has ended without one. */
  endBudget(): void {
    if (this.#pool === undefined) return
    endRetry(this.#pool)
    this.#pool = undefined
  }

  #mayRetry(error: TunnelError): boolean {
    if (this.#left === 0 || !this.#owner.canReplay) return false
    return error.delivered === 'no' || (isRetryable(error.reason) && this.#isIdempotent)
  }

  get #isIdempotent(): boolean {
    return isIdempotent(this.#owner.request.opening.method)
  }

  /** Takes a retry from the budget of the service. `error`: the failure of the last attempt; undefined: Plugboard ended it. */
  #takeBudget(pool: LinePool, error?: TunnelError): boolean {
    if (error !== undefined && !costsBudget(error)) return true
    const { context, policy, serviceId } = this.#owner
    if (takeRetry(pool, policy.retryBudgetPercent, context.clock.now())) {
      this.#pool = pool
      return true
    }
    context.counters.retryBudgetExhausted += 1
    context.decisions.of(serviceId).retryBudgetExhausted += 1
    return false
  }
}

/** Counts an attempt after the first one. */
export function countRetry(
  { context, serviceId }: Pick<RetryOwner, 'context' | 'serviceId'>,
  reason: RetryReason,
): void {
  context.counters.retries += 1
  context.decisions.of(serviceId).retries[reason] += 1
}
