// The queue of one reader of the live log. A slow reader loses lines, which are counted, and never slows down the replica.

import type { ObserveViewer } from '../../../observe/stream/observe-viewer.ts'

/** Most lines that wait for the reader. */
export const MAX_WAITING_LINES = 1000

export interface DroppedLines {
  /** null: the reader was too slow. */
  readonly replicaId: string | null
  readonly count: number
}

export class RequestViewer implements ObserveViewer {
  readonly #onReady: () => void
  #lines: string[] = []
  #lost = 0
  readonly #dropped = new Map<string, number>()
  #replicasChanged = true

  constructor(onReady: () => void) {
    this.#onReady = onReady
  }

  item(text: string): void {
    if (this.#lines.length >= MAX_WAITING_LINES) this.#lost += 1
    else this.#lines.push(text)
    this.#onReady()
  }

  dropped(replicaId: string, count: number): void {
    this.#dropped.set(replicaId, (this.#dropped.get(replicaId) ?? 0) + count)
    this.#onReady()
  }

  replicasChanged(): void {
    this.#replicasChanged = true
    this.#onReady()
  }

  /** Returns the waiting lines as JSON, the oldest first. */
  takeLines(): readonly string[] {
    const lines = this.#lines
    this.#lines = []
    return lines
  }

  takeDropped(): readonly DroppedLines[] {
    const dropped: DroppedLines[] = [...this.#dropped].map(([replicaId, count]) => ({ replicaId, count }))
    if (this.#lost > 0) dropped.push({ replicaId: null, count: this.#lost })
    this.#dropped.clear()
    this.#lost = 0
    return dropped
  }

  /** Returns true when the set of watched replicas may have changed since the last call. */
  takeReplicasChanged(): boolean {
    const changed = this.#replicasChanged
    this.#replicasChanged = false
    return changed
  }
}
