// The totals of the tunnels of this replica since its start, including closed tunnels: bytes, round trips, stalls and reasons
// of their ends. The metrics read it.

import { Histogram, ROUND_TRIP_BOUNDARIES } from '@vera-stack/shared/metrics/histogram.ts'
import { LabelledCounts } from '@vera-stack/shared/metrics/labelled-counts.ts'
import type { SessionTotals } from '@vera-stack/shared/protocol/session.ts'

export class TunnelTotals {
  readonly roundTrips = new Histogram(ROUND_TRIP_BOUNDARIES)
  /** Ends of tunnels by reason. */
  readonly closed = new LabelledCounts()
  /** The totals of closed tunnels. */
  readonly #closed: { -readonly [Name in keyof SessionTotals]: number } = {
    receivedBytes: 0,
    sentBytes: 0,
    ownStalls: 0,
    peerStalls: 0,
  }

  /** Adds the totals of a tunnel that has closed. */
  add(session: SessionTotals): void {
    this.#closed.receivedBytes += session.receivedBytes
    this.#closed.sentBytes += session.sentBytes
    this.#closed.ownStalls += session.ownStalls
    this.#closed.peerStalls += session.peerStalls
  }

  /** Returns the totals of all tunnels. `open`: the sessions of the open ones. */
  sum(open: Iterable<SessionTotals>): SessionTotals {
    const total = { ...this.#closed }
    for (const session of open) {
      total.receivedBytes += session.receivedBytes
      total.sentBytes += session.sentBytes
      total.ownStalls += session.ownStalls
      total.peerStalls += session.peerStalls
    }
    return total
  }
}
