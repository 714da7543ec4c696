// Limits how much of one resource a client holds (streams, connections, places in a queue), so that other clients
// always find room. A table of counts is a Map, and a Map must not change with every request
// (docs/decisions/0005-no-map-per-request.md). So clients are counted only while the total in use is so high that one client
// could have reached its share. Below that total, a request costs an addition and a comparison.

export const DEFAULT_CLIENT_SHARE_PERCENT = 75

/** Returns how many units of `capacity` one client may hold: at least 1, and all units for 100 %. */
export function shareOf(capacity: number, percent: number): number {
  return percent >= 100 ? capacity : Math.max(1, Math.floor((capacity * percent) / 100))
}

export class ClientShares {
  readonly #percent: number
  readonly #holders: (() => Iterable<string>) | undefined
  #held = 0
  /** Units per client. Undefined while clients are not counted. */
  #counts: Map<string, number> | undefined
  #stopBelow = 0

  /**
   * `holders` lists the client of each unit that is held now. It is called when counting begins. Without `holders`, clients
   * are counted all the time, which suits a resource that ordinary requests do not use.
   */
  constructor(percent: number, holders?: () => Iterable<string>) {
    this.#percent = percent
    this.#holders = holders
    if (holders === undefined) this.#counts = new Map()
  }

  /** Returns the number of units that all clients hold now. */
  get held(): number {
    return this.#held
  }

  /** True when the client may take one more. The empty name stands for an unknown client, which has no limit. */
  allows(client: string, capacity: number): boolean {
    if (this.#percent >= 100 || client === '') return true
    const limit = shareOf(capacity, this.#percent)
    return this.#held < limit || (this.#counted(limit).get(client) ?? 0) < limit
  }

  add(client: string): void {
    this.#held += 1
    const counts = this.#counts
    if (counts !== undefined) counts.set(client, (counts.get(client) ?? 0) + 1)
  }

  remove(client: string): void {
    this.#held -= 1
    const counts = this.#counts
    if (counts === undefined) return
    const count = counts.get(client) ?? 0
    if (count > 1) counts.set(client, count - 1)
    else counts.delete(client)
    // Well below the share, so that a load that varies around it does not start and stop the count again and again.
    if (this.#holders !== undefined && this.#held < this.#stopBelow) this.#counts = undefined
  }

  #counted(limit: number): Map<string, number> {
    if (this.#counts !== undefined) return this.#counts
    const counts = new Map<string, number>()
    for (const client of this.#holders?.() ?? []) counts.set(client, (counts.get(client) ?? 0) + 1)
    this.#counts = counts
    this.#stopBelow = limit / 2
    return counts
  }
}
