// Judges what the client was answered. A wrong answer is wrong whatever is going on; a failure is one unless an
// incident excuses it (incident.ts); so is the answer of a route that had been moved away longer ago than a replica
// needs to hear of it. Counts what was right, keeps what was not.

import type { Incident, Judged } from './incident.ts'
import { describeOutcome } from './request.ts'
import type { RouteHistory } from './route-history.ts'
import type { Asked } from './traffic.ts'

/** An edit reaches a replica that nothing is wrong with in this time, even on a busy machine, ms. */
const ROUTE_LAG_MS = 1000
/** As many complaints are kept word for word; the others are only counted. */
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

  /** Called as each request ends: its host's history is asked now, its excuse when all incidents are known. */
  take(asked: Asked): void {
    const { outcome, plan, sentAtMs, endedAtMs, replica } = asked
    if (outcome.kind === 'wrong') {
      this.#complain(`wrong answer: ${describe(asked)}`)
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

  /** An incident keeps the replica from hearing of route edits. */
  mayBeStale(replica: string | undefined, fromMs: number, untilMs: number): boolean {
    return this.#incidents.some(incident => incident.mayBeStale(replica, fromMs, untilMs))
  }

  /** The slowest right answer since the last call, those left out that are slow by themselves. */
  takeSlowestMs(): number {
    const slowestMs = this.#slowestMs
    this.#slowestMs = 0
    return slowestMs
  }

  /** When all requests have ended and all incidents are over. */
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

  /** The last incident that had begun, for whoever has to find out. */
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
