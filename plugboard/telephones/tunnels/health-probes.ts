// Asks the telephone of one tunnel to run its own health check of a service now, and waits for the result. The rate of the
// probes is bounded, because a telephone ends a session with too many control messages (PROTOCOL.md, P26).

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { PROBE_FEATURE, type Probed } from '@vera-stack/shared/protocol/control/control.ts'
import { ControlBudget } from '@vera-stack/shared/protocol/control/control-budget.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import type { CheckResult } from '../outliers/outliers.ts'

/** Probes at once, and then per second. */
const BURST = 8
const PER_SECOND = 2
/** Longer than the time limit of a telephone's check (5 s). */
const RESULT_MS = 6000

interface WaitingProbe {
  readonly result: Promise<CheckResult>
  readonly resolve: (result: CheckResult) => void
  readonly timer: Timer
}

export class HealthProbes {
  readonly #session: () => Session
  readonly #clock: Clock
  readonly #budget: ControlBudget
  /** By the announced name of the service. */
  readonly #waiting = new Map<string, WaitingProbe>()

  constructor(session: () => Session, clock: Clock) {
    this.#session = session
    this.#clock = clock
    this.#budget = new ControlBudget(BURST, PER_SECOND, clock.now())
  }

  /** Resolves with undefined when the telephone does not support probes, does not respond, or had too many probes. */
  probe(service: string): Promise<CheckResult> {
    const waiting = this.#waiting.get(service)
    if (waiting !== undefined) return waiting.result
    const session = this.#session()
    const isSupported = session.state === 'open' && session.peer?.features.includes(PROBE_FEATURE) === true
    if (!isSupported || !this.#budget.take(this.#clock.now())) return Promise.resolve(undefined)
    if (!session.sendControl({ type: 'probe', service })) return Promise.resolve(undefined)
    const { promise: result, resolve } = Promise.withResolvers<CheckResult>()
    const timer = this.#clock.after(RESULT_MS, () => this.#settle(service, undefined))
    this.#waiting.set(service, { result, resolve, timer })
    return result
  }

  /** Call when the telephone has sent a result. Ignores a result that no probe waits for. */
  arrived({ service, health }: Probed): void {
    this.#settle(service, health)
  }

  close(): void {
    for (const service of [...this.#waiting.keys()]) this.#settle(service, undefined)
  }

  #settle(service: string, result: CheckResult): void {
    const waiting = this.#waiting.get(service)
    if (waiting === undefined) return
    this.#waiting.delete(service)
    waiting.timer.cancel()
    waiting.resolve(result)
  }
}
