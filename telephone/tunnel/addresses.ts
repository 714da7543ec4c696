// The replicas that a Telephone may dial: the configured addresses, and the addresses that Plugboards announce. Picks an
// address for each tunnel, so that tunnels end on different replicas when there are several. Avoids addresses that have
// just failed. Plain data; no socket.

/** An address and the name of its replica. */
export interface Address {
  readonly url: URL
  /** Name of the replica. Undefined for a configured address whose replica is still unknown. */
  readonly replicaId: string | undefined
}

/** The address on which a tunnel ends or will end. */
export interface PlugboardAddress {
  readonly href: string
  /** Name of the replica, from its hello or its address. */
  readonly replicaId: string | undefined
}

/** Time for which an address is avoided after a failed dial, ms. Most replicas have restarted by then. */
const FAILED_MS = 15_000
/** Time for which a replica is avoided when another one responded in its place, ms: load balancers change rarely. */
const MISSED_MS = 60_000

export class Addresses {
  readonly #configured: readonly Address[]
  readonly #follow: boolean
  readonly #now: () => number
  readonly #random: () => number
  #learned: readonly Address[] = []
  readonly #failedAt = new Map<string, number>()
  /** Replicas in whose place another replica responded, behind a load balancer. */
  readonly #missedAt = new Map<string | undefined, number>()

  /** `follow`: use the addresses that Plugboards announce. */
  constructor(configured: readonly URL[], follow: boolean, now: () => number, random: () => number) {
    this.#configured = configured.map(url => ({ url, replicaId: undefined }))
    this.#follow = follow
    this.#now = now
    this.#random = random
  }

  /** With `follow`, replaces the announced addresses. A new address counts as not failed, even when it failed earlier. */
  learn(replicas: readonly Address[]): void {
    const before = new Set(this.#learned.map(({ url }) => url.href))
    for (const { url } of replicas) if (!before.has(url.href)) this.#failedAt.delete(url.href)
    if (this.#follow) this.#learned = replicas
    const known = new Set([...this.#learned, ...this.#configured].map(({ url }) => url.href))
    for (const href of this.#failedAt.keys()) if (!known.has(href)) this.#failedAt.delete(href)
    const ids = new Set(this.#learned.map(({ replicaId }) => replicaId))
    for (const id of this.#missedAt.keys()) if (!ids.has(id)) this.#missedAt.delete(id)
  }

  failed({ url }: Address): void {
    this.#failedAt.set(url.href, this.#now())
  }

  /**
   * Records that `replica` sent its hello at this address. When another replica was expected, a load balancer selects the
   * replica. Then further dials for the expected replica would have no effect, so it is avoided.
   */
  worked({ url, replicaId }: Address, replica: string): void {
    this.#failedAt.delete(url.href)
    this.#missedAt.delete(replica)
    if (replicaId !== undefined && replicaId !== replica) this.#missedAt.set(replicaId, this.#now())
  }

  /** Returns the best address for one more tunnel. `inUse`: places of the other tunnels. `wanted`: a preferred replica. */
  pick(inUse: readonly PlugboardAddress[], wanted?: string): Address {
    const all = [...this.#learned, ...this.#configured]
    let best: Address | undefined
    let bestScore = Number.POSITIVE_INFINITY
    for (const address of all) {
      // Order: addresses without a recent failure, fewest tunnels, the wanted replica, named replicas, then at random.
      const score =
        (this.#avoided(address) ? 1e6 : 0) +
        (wanted !== undefined && address.replicaId === wanted ? -500 : 0) +
        this.#uses(address, inUse) * 1000 +
        (address.replicaId === undefined && this.#learned.length > 0 ? 100 : 0) +
        this.#random()
      if (score < bestScore) {
        best = address
        bestScore = score
      }
    }
    if (best === undefined) throw new Error('a Telephone without an address of a Plugboard')
    return best
  }

  /** True when a tunnel that shares its replica could end on an unused one. `inUse`: places of all tunnels. */
  hasUnused(inUse: readonly PlugboardAddress[]): boolean {
    return this.#learned.some(address => !this.#avoided(address) && this.#uses(address, inUse) === 0)
  }

  #uses({ url, replicaId }: Address, inUse: readonly PlugboardAddress[]): number {
    const same = (place: PlugboardAddress): boolean =>
      replicaId !== undefined && place.replicaId !== undefined
        ? place.replicaId === replicaId
        : place.href === url.href
    return inUse.filter(same).length
  }

  #avoided({ url, replicaId }: Address): boolean {
    const failedAt = this.#failedAt.get(url.href) ?? Number.NEGATIVE_INFINITY
    const missedAt = this.#missedAt.get(replicaId) ?? Number.NEGATIVE_INFINITY
    const nowMs = this.#now()
    return nowMs - failedAt < FAILED_MS || nowMs - missedAt < MISSED_MS
  }
}
