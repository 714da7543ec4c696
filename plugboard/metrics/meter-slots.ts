// The slots of metrics: places for routes, or for services, with series of their own. The number of slots bounds the number of
// series. All others share the meters `_other`.
//
//   no slot (_other) ──first use, when all fit; else promotion of the busiest──▶ slot ──deleted, renamed──▶ retired
//                                                                                  ▲──── same name again ────┘ │
//                                                                     another name needs the place: removed ◀──┘
//
// No counter falls, because the numbers stay with their labels: a promotion leaves the earlier requests in `_other`, and a retired
// slot is still reported, with its last numbers, until another name needs its place. If its name comes back, it continues.

/** The label value of all routes, or services, without a slot. */
export const OTHER = '_other'

/** A route or service. Its object has its meters, so that a request needs no lookup. */
export interface MeterOwner<Meters> {
  meters?: Meters | undefined
  /** Requests without a slot: the owner with the most gets the next one. */
  unmetered?: number | undefined
}

export interface MeterSlotsOptions<Meters> {
  readonly max: number
  readonly other: Meters
  readonly create: (name: string) => Meters
  /** Called when the meters are not reported any more. */
  readonly removed?: (meters: Meters) => void
  /** Returns the number of all owners. While all of them fit, each one gets a slot at its first request. */
  readonly population: () => number
}

export class MeterSlots<Meters> {
  readonly #options: MeterSlotsOptions<Meters>
  readonly #slots = new Map<string, Meters>()
  /** The names of retired slots, the oldest first. */
  readonly #retired = new Set<string>()

  constructor(options: MeterSlotsOptions<Meters>) {
    this.#options = options
  }

  /** Returns `_other` for an owner that has found no slot before, and counts the request. Undefined: call `claim`. */
  sharedBy(owner: MeterOwner<Meters>): Meters | undefined {
    if (owner.unmetered === undefined) return undefined
    owner.unmetered += 1
    return this.#options.other
  }

  /** Returns the meters of an owner at its first request: a slot, or `_other`. */
  claim(owner: MeterOwner<Meters>, name: string): Meters {
    if (this.#fits(name)) {
      const meters = this.#slotOf(name)
      if (meters !== undefined) {
        owner.meters = meters
        return meters
      }
    }
    owner.unmetered = 1
    return this.#options.other
  }

  /** Gives the free slots to the owners that had the most requests without one. */
  promote(owners: Iterable<readonly [owner: MeterOwner<Meters>, name: string]>): void {
    const free = this.#free
    if (free === 0) return
    const busiest = new Busiest<Meters>(free)
    for (const [owner, name] of owners) {
      if (owner.meters === undefined && (owner.unmetered ?? 0) > 0) busiest.offer(owner, name)
    }
    for (const { owner, name } of busiest.found) owner.meters = this.#slotOf(name)
  }

  /** Frees the slot of a name. Its numbers are reported until another name needs the place. */
  retire(name: string): void {
    if (this.#slots.has(name)) this.#retired.add(name)
  }

  /** Yields the meters of all slots, and last `_other`. */
  *all(): Generator<Meters> {
    yield* this.#slots.values()
    yield this.#options.other
  }

  /** Returns the label for numbers of this name that another part counts: the name when it has or gets a slot, else `_other`. */
  labelOf(name: string): string {
    if (name === '') return ''
    return this.#fits(name) && this.#slotOf(name) !== undefined ? name : OTHER
  }

  /** True when series of the name are reported. The empty name always has its own. */
  has(name: string): boolean {
    return name === '' || this.#slots.has(name)
  }

  /** Yields the names of all slots that are in use. */
  *names(): Generator<string> {
    for (const name of this.#slots.keys()) if (!this.#retired.has(name)) yield name
  }

  get #free(): number {
    return this.#options.max - this.#slots.size + this.#retired.size
  }

  /** True when the name has a slot, or when there is one for each owner. */
  #fits(name: string): boolean {
    return this.#slots.has(name) || this.#options.population() <= this.#options.max
  }

  /** Returns the slot of the name. Creates it when a place is free. */
  #slotOf(name: string): Meters | undefined {
    const known = this.#slots.get(name)
    if (known === undefined) return this.#add(name)
    this.#retired.delete(name)
    return known
  }

  #add(name: string): Meters | undefined {
    if (this.#free <= 0) return undefined
    if (this.#slots.size >= this.#options.max) this.#removeOldest()
    const meters = this.#options.create(name)
    this.#slots.set(name, meters)
    return meters
  }

  #removeOldest(): void {
    const [name] = this.#retired
    if (name === undefined) return
    const meters = this.#slots.get(name)
    this.#retired.delete(name)
    this.#slots.delete(name)
    if (meters !== undefined) this.#options.removed?.(meters)
  }
}

/** The owners with the most requests, at most `max` of them. One pass over 100,000 owners takes a few milliseconds. */
class Busiest<Meters> {
  readonly #max: number
  /** The busiest first. */
  readonly found: { readonly owner: MeterOwner<Meters>; readonly name: string; readonly requests: number }[] =
    []

  constructor(max: number) {
    this.#max = max
  }

  offer(owner: MeterOwner<Meters>, name: string): void {
    const requests = owner.unmetered ?? 0
    const { found } = this
    if (found.length === this.#max && requests <= (found.at(-1)?.requests ?? 0)) return
    let [low, high] = [0, found.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((found[middle]?.requests ?? 0) >= requests) low = middle + 1
      else high = middle
    }
    found.splice(low, 0, { owner, name, requests })
    if (found.length > this.#max) found.pop()
  }
}
