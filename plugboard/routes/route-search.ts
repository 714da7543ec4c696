// Finds and sorts routes in the memory of this replica. The database has no index for parts of texts and for the time of the last
// change: it would read all rows for each request. The scan gives way to other work of the event loop.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { RouteId, ServiceId } from '../common/ids/row-ids.ts'
import type { DirectoryRoute, DirectoryService } from './directory-entries.ts'

/** The fields by which routes are sorted. */
export type RoutePlace = Pick<DirectoryRoute, 'id' | 'host' | 'mountPath' | 'updatedAtMs'>

/** An order that the memory of a replica has. */
export type MemoryOrder = 'mount' | 'updatedAt'

export interface RouteSearch {
  /** Absent: all routes fit. */
  readonly text?: string | undefined
  /** Only routes with exactly this host pattern. */
  readonly host?: string | undefined
  /** Absent: the caller needs no page, only `total` and `all`. */
  readonly page?:
    | {
        readonly order: MemoryOrder
        readonly descending: boolean
        /** Only routes after this place are part of the page. */
        readonly after?: RoutePlace | undefined
        readonly limit: number
      }
    | undefined
}

export interface FoundRoutes {
  /** The number of all routes that fit. */
  readonly total: number
  /** The ids of the page, in its order. */
  readonly page: readonly RouteId[]
  /** The ids of all routes that fit. Undefined: more than `MAX_IDS`. */
  readonly all: readonly RouteId[] | undefined
}

/** Ids that one query of the database names. */
const MAX_IDS = 1_000
/** Routes in one turn of the event loop: about 1 ms. */
const ROUTES_PER_TURN = 16_384

/**
 * `services`: those whose name may be a part of the search. Resolves with undefined when a route lacks the field of the order.
 */
export async function searchRoutes(
  routes: Iterable<DirectoryRoute>,
  services: Iterable<DirectoryService>,
  { text, host, page }: RouteSearch,
): Promise<FoundRoutes | undefined> {
  const first = page === undefined ? undefined : new FirstPlaces(page)
  const needsTime = page?.order === 'updatedAt'
  const all: RouteId[] = []
  const named = new Set<ServiceId>()
  if (text !== undefined) for (const { id, name } of services) if (name.includes(text)) named.add(id)
  let [total, looked] = [0, 0]
  for (const route of routes) {
    looked += 1
    if (looked % ROUTES_PER_TURN === 0) await nextTurn()
    if (host !== undefined && route.host !== host) continue
    if (
      text !== undefined &&
      !route.mount.includes(text) &&
      (named.size === 0 || !named.has(route.service.id))
    )
      continue
    if (needsTime && route.updatedAtMs === undefined) return undefined
    total += 1
    if (all.length < MAX_IDS) all.push(route.id)
    first?.offer(route)
  }
  return { total, page: first?.ids() ?? [], all: total > MAX_IDS ? undefined : all }
}

/** Keeps the first routes of an order. Most routes are compared once, with the last kept one, and make no object. */
class FirstPlaces {
  readonly #limit: number
  readonly #sign: 1 | -1
  readonly #after: RoutePlace | undefined
  readonly #compare: (one: RoutePlace, other: RoutePlace) => number
  readonly #kept: DirectoryRoute[] = []

  constructor({ order, descending, after, limit }: NonNullable<RouteSearch['page']>) {
    this.#limit = limit
    this.#sign = descending ? -1 : 1
    this.#after = after
    this.#compare = COMPARE[order]
  }

  offer(route: DirectoryRoute): void {
    const last = this.#kept.at(-1)
    if (this.#kept.length === this.#limit && last !== undefined && !this.#isBefore(route, last)) return
    if (this.#after !== undefined && !this.#isBefore(this.#after, route)) return
    let [low, high] = [0, this.#kept.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#isBefore(this.#kept[middle] as DirectoryRoute, route)) low = middle + 1
      else high = middle
    }
    this.#kept.splice(low, 0, route)
    if (this.#kept.length > this.#limit) this.#kept.pop()
  }

  ids(): RouteId[] {
    return this.#kept.map(({ id }) => id)
  }

  #isBefore(one: RoutePlace, other: RoutePlace): boolean {
    return this.#compare(one, other) * this.#sign < 0
  }
}

/** Compares as the database does (COLLATE "C"): hosts and paths have ASCII characters only. */
const COMPARE: Readonly<Record<MemoryOrder, (one: RoutePlace, other: RoutePlace) => number>> = {
  mount: (one, other) => {
    if (one.host !== other.host) return one.host < other.host ? -1 : 1
    if (one.mountPath !== other.mountPath) return one.mountPath < other.mountPath ? -1 : 1
    return compareIds(one, other)
  },
  updatedAt: (one, other) => {
    const time = one.updatedAtMs ?? 0
    const otherTime = other.updatedAtMs ?? 0
    return time === otherTime ? compareIds(one, other) : time - otherTime
  },
}

function compareIds(one: RoutePlace, other: RoutePlace): number {
  if (one.id === other.id) return 0
  return one.id < other.id ? -1 : 1
}
