// The queue of one reader of live data. A slow reader loses items, which are counted, and never slows down the replica.

import type { ObserveViewer } from '../../../observe/stream/observe-viewer.ts'

/** Most items that wait for the reader. */
export const MAX_WAITING_ITEMS = 1000

export interface DroppedItems {
  /** null: the reader was too slow. */
  readonly replicaId: string | null
  readonly count: number
}

export class LiveViewer implements ObserveViewer {
  readonly #onReady: () => void
  #items: string[] = []
  #lost = 0
  readonly #dropped = new Map<string, number>()
  #replicasChanged = true

  constructor(onReady: () => void) {
    this.#onReady = onReady
  }

  item(text: string): void {
    if (this.#items.length >= MAX_WAITING_ITEMS) this.#lost += 1
    else this.#items.push(text)
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

  /** Returns the waiting items as JSON, the oldest first. */
  takeItems(): readonly string[] {
    const items = this.#items
    this.#items = []
    return items
  }

  takeDropped(): readonly DroppedItems[] {
    const dropped: DroppedItems[] = [...this.#dropped].map(([replicaId, count]) => ({ replicaId, count }))
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
