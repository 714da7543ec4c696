// Small pictures of the lines of a service, for requests that failed. While requests fail in large numbers, those of one service share
// a picture, so that a failure never costs a walk over many lines.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { type LinesSnapshot, MAX_SNAPSHOT_LINES } from './failed-request.ts'

/** Time for which a picture is used again, ms. */
const FRESH_MS = 100
const MAX_SERVICES = 100

/** The state of a line. */
interface SnapshotLine {
  readonly line: { readonly telephone: string; readonly replicaId: string }
  readonly state: LinesSnapshot['items'][number]['state']
}

export class LinesSnapshots {
  readonly #statesOf: (service: string) => Iterable<SnapshotLine>
  readonly #clock: Clock
  readonly #taken = new Map<string, { readonly atMs: number; readonly snapshot: LinesSnapshot }>()

  constructor(statesOf: (service: string) => Iterable<SnapshotLine>, clock: Clock) {
    this.#statesOf = statesOf
    this.#clock = clock
  }

  of(service: string): LinesSnapshot {
    const nowMs = this.#clock.now()
    const known = this.#taken.get(service)
    if (known !== undefined && nowMs - known.atMs < FRESH_MS) return known.snapshot
    const snapshot = this.#take(service)
    if (this.#taken.size >= MAX_SERVICES) this.#taken.clear()
    this.#taken.set(service, { atMs: nowMs, snapshot })
    return snapshot
  }

  #take(service: string): LinesSnapshot {
    const items: LinesSnapshot['items'] = []
    let total = 0
    let serving = 0
    for (const { line, state } of this.#statesOf(service)) {
      total += 1
      if (state === 'serving') serving += 1
      if (items.length < MAX_SNAPSHOT_LINES)
        items.push({ telephone: line.telephone, replicaId: line.replicaId, state })
    }
    return { total, serving, items }
  }
}
