// The replicas a Telephone may dial: those it was configured with, and those that Plugboards have told it of. Picks
// one for each tunnel so that tunnels end on different replicas where there are several, and steers around
// addresses that have just failed. Plain data; no socket.

/** A replica, as far as it is known. */
export interface Address {
  readonly url: URL
  /** Its name; undefined for a configured address that nobody has named yet. */
  readonly replicaId: string | undefined
}

/** Where a tunnel ends or is about to. */
export interface Place {
  readonly href: string
  /** Known once the replica has greeted, or from its address. */
  readonly replicaId: string | undefined
}

/** How long an address is avoided after a dial that failed, ms: most replicas are back by then, started anew. */
const FAILED_MS = 15_000
/** How long a replica for which another one has answered, ms: load balancers do not change their mind soon. */
const MISSED_MS = 60_000

export class Addresses {
  readonly #configured: readonly Address[]
  readonly #follow: boolean
  readonly #now: () => number
  readonly #random: () => number
  #learned: readonly Address[] = []
  readonly #failedAt = new Map<string, number>()
  /** Replicas that somebody else answered for, behind a load balancer. */
  readonly #missedAt = new Map<string | undefined, number>()

  /** `follow`: use addresses that Plugboards tell of. */
  constructor(configured: readonly URL[], follow: boolean, now: () => number, random: () => number) {
    this.#configured = configured.map(url => ({ url, replicaId: undefined }))
    this.#follow = follow
    this.#now = now
    this.#random = random
  }

  /** An address that was not among the last ones has come back: that it failed is over. */
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
   * `replica` has greeted there. When it is not the one that was meant, a load balancer decides who answers: to ask
   * it for that one again and again would be of no use.
   */
  worked({ url, replicaId }: Address, replica: string): void {
    this.#failedAt.delete(url.href)
    this.#missedAt.delete(replica)
    if (replicaId !== undefined && replicaId !== replica) this.#missedAt.set(replicaId, this.#now())
  }

  /** The best address for one more tunnel. `inUse`: where the others end. `wanted`: a replica to prefer, if known. */
  pick(inUse: readonly Place[], wanted?: string): Address {
    const all = [...this.#learned, ...this.#configured]
    let best: Address | undefined
    let bestScore = Number.POSITIVE_INFINITY
    for (const address of all) {
      // In this order: not just failed, few tunnels there already, the wanted one, named ones, then by lot.
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

  /** Would a tunnel that ends where another one does find a replica of its own? `inUse`: where all of them end. */
  hasUnused(inUse: readonly Place[]): boolean {
    return this.#learned.some(address => !this.#avoided(address) && this.#uses(address, inUse) === 0)
  }

  #uses({ url, replicaId }: Address, inUse: readonly Place[]): number {
    const same = (place: Place): boolean =>
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
