// Counts the tunnels of each token holder in the cluster, for the limit of tunnels. This replica counts its own tunnels, and the
// other replicas report theirs (peers/rebalancing/tunnel-count-sync.ts), so a sum is late by the time of one report. The counts of a replica
// are dropped when the last link to it closes, so each side of a partition counts only replicas that it reaches. This file uses
// no sockets and no tokens: a holder is an opaque key.

import type { ReplicaId } from '../common/ids/replica-id.ts'

/** Called with each holder whose count on this replica has changed. */
export type OwnCountListener = (holder: string) => void

export class TunnelCounts {
  readonly #own = new Map<string, number>()
  readonly #remote = new Map<ReplicaId, Map<string, number>>()
  /** Sums over all other replicas. */
  readonly #remoteTotals = new Map<string, number>()
  readonly #listeners = new Set<OwnCountListener>()
  #reports = 0

  /** Counts a tunnel that the holder has opened on this replica. */
  add(holder: string): void {
    this.#own.set(holder, this.own(holder) + 1)
    this.#notify(holder)
  }

  /** Undoes one `add`. */
  remove(holder: string): void {
    const left = this.own(holder) - 1
    if (left > 0) this.#own.set(holder, left)
    else this.#own.delete(holder)
    this.#notify(holder)
  }

  /** Returns the number of the holder's tunnels on this replica. */
  own(holder: string): number {
    return this.#own.get(holder) ?? 0
  }

  /** Returns the number of the holder's tunnels on all replicas, by their last reports. */
  total(holder: string): number {
    return this.own(holder) + (this.#remoteTotals.get(holder) ?? 0)
  }

  /** Returns the holders with a tunnel on this replica. */
  ownHolders(): Iterable<string> {
    return this.#own.keys()
  }

  setRemote(replicaId: ReplicaId, holder: string, count: number): void {
    let counts = this.#remote.get(replicaId)
    if (counts === undefined) {
      counts = new Map()
      this.#remote.set(replicaId, counts)
    }
    const difference = count - (counts.get(holder) ?? 0)
    if (count > 0) counts.set(holder, count)
    else counts.delete(holder)
    this.#changeTotal(holder, difference)
  }

  forgetRemote(replicaId: ReplicaId): void {
    const counts = this.#remote.get(replicaId)
    this.#remote.delete(replicaId)
    for (const [holder, count] of counts ?? []) this.#changeTotal(holder, -count)
  }

  /** Returns the number of the next report. Numbers grow while this process runs, over all replicas and links. */
  nextReportSequence(): number {
    this.#reports += 1
    return this.#reports
  }

  /** Returns a function that unsubscribes. */
  subscribe(listener: OwnCountListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #changeTotal(holder: string, difference: number): void {
    const total = (this.#remoteTotals.get(holder) ?? 0) + difference
    if (total > 0) this.#remoteTotals.set(holder, total)
    else this.#remoteTotals.delete(holder)
  }

  #notify(holder: string): void {
    for (const listener of this.#listeners) listener(holder)
  }
}
