// Evaluates the responses that the client received. A wrong response is always a fault. A failed request is a fault unless an
// incident excuses it (incident.ts). A response of the old route is a fault when the replica had enough time to receive the
// edit. Counts the correct responses and keeps the faults.

import { describeOutcome } from './client/request.ts'
import type { RouteHistory } from './client/route-history.ts'
import type { Asked } from './client/traffic.ts'
import type { Incident, Judged } from './incident.ts'

/** Within this time an edit reaches each healthy replica, even on a busy machine, ms. */
const ROUTE_LAG_MS = 1000
/** This number of complaints is kept as text. Further ones are only counted. */
const KEPT = 50

export class Judgement {
  readonly #routes: RouteHistory
  readonly #incidents: Incident[] = []
  readonly #failures: Judged[] = []
  readonly #complaints: string[] = []
  readonly #excused = new Map<string, number>()
  #complaintCount = 0
  responded = 0
  #slowestMs = 0

  constructor(routes: RouteHistory) {
    this.#routes = routes
  }

  begins(incident: Incident): void {
    this.#incidents.push(incident)
  }

  /** Takes a request that has ended. The history of its host is checked now, its excuse in `conclude`. */
  take(asked: Asked): void {
    const { outcome, plan, sentAtMs, endedAtMs, replica } = asked
    if (outcome.kind === 'wrong') {
      this.#complain(`wrong response: ${describe(asked)}`)
      return
    }
    const lagMs = this.mayBeStale(replica, sentAtMs, endedAtMs) ? Number.POSITIVE_INFINITY : ROUTE_LAG_MS
    const destinations = this.#routes.possible(plan.host, sentAtMs, endedAtMs, lagMs)
    if (outcome.kind === 'answered') {
      this.responded += 1
      if (plan.pieces * plan.everyMs < 100) this.#slowestMs = Math.max(this.#slowestMs, endedAtMs - sentAtMs)
      if (!destinations.has(outcome.service)) {
        const staleMs = this.#routes.staleMs(plan.host, outcome.service, sentAtMs)
        this.#complain(`stale by ${staleMs} ms: ${describe(asked)}, not ${[...destinations].join(' or ')}`)
      }
      return
    }
    if (outcome.kind === 'problem' && outcome.code === 'route_not_found' && destinations.has(null)) {
      this.responded += 1
      return
    }
    this.#failures.push({ asked, destinations })
  }

  /** True when an incident may keep the replica from receiving route edits. */
  mayBeStale(replica: string | undefined, fromMs: number, untilMs: number): boolean {
    return this.#incidents.some(incident => incident.mayBeStale(replica, fromMs, untilMs))
  }

  /** Returns the longest time of a correct response since the last call, without responses that are slow on purpose. */
  takeSlowestMs(): number {
    const slowestMs = this.#slowestMs
    this.#slowestMs = 0
    return slowestMs
  }

  /** Returns the result. Call it after the end of all requests and incidents. */
  conclude(): { readonly complaints: readonly string[]; readonly excused: ReadonlyMap<string, number> } {
    for (const failure of this.#failures) {
      let reason: string | undefined
      for (const incident of this.#incidents) reason ??= incident.excuse(failure)
      if (reason === undefined) this.#complain(`failed: ${describe(failure.asked)}${this.#around(failure)}`)
      else this.#excused.set(reason, (this.#excused.get(reason) ?? 0) + 1)
    }
    for (const incident of this.#incidents) incident.concluded?.()
    const more = this.#complaintCount - this.#complaints.length
    return {
      complaints: [...this.#complaints, ...(more > 0 ? [`… and ${more} more`] : [])],
      excused: this.#excused,
    }
  }

  /** Returns a text with the last incident before the failure, which helps to find the cause. */
  #around({ asked: { sentAtMs, endedAtMs } }: Judged): string {
    const incident = this.#incidents.findLast(({ fromMs }) => fromMs <= endedAtMs)
    if (incident === undefined) return ''
    const [sent, ended] = [sentAtMs - incident.fromMs, endedAtMs - incident.fromMs].map(Math.round)
    return `; sent ${sent} ms, ended ${ended} ms after: ${incident.name}`
  }

  #complain(text: string): void {
    this.#complaintCount += 1
    if (this.#complaints.length < KEPT) this.#complaints.push(text)
  }
}

function describe({ plan, outcome, replica, sentAtMs, endedAtMs }: Asked): string {
  const { method, host, nonce } = plan
  const took = Math.round(endedAtMs - sentAtMs)
  return `${method} ${host} ${nonce} through ${replica}: ${describeOutcome(outcome)} after ${took} ms`
}
