// Finds routes by a part of their mount or of the name of their service, in the memory of this replica. The database has no index
// for parts of texts: it would read all rows for each request. The scan gives way to other work of the event loop.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { RouteId, ServiceId } from '../common/ids/row-ids.ts'
import type { DirectoryRoute, DirectoryService } from './directory-entries.ts'

/** The place of a route in the order of lists: by host, then by path. */
export type MountPlace = readonly [host: string, mountPath: string, id: string]

export interface RouteSearch {
  readonly text: string
  /** Only routes with exactly this host pattern. */
  readonly host?: string | undefined
  /** Only routes to the service with this name or id. */
  readonly service?: string | undefined
  /** Only routes after this place are part of the page. */
  readonly after?: MountPlace | undefined
  readonly descending: boolean
  /** Routes of the page. */
  readonly limit: number
}

export interface FoundRoutes {
  /** The number of all routes that fit. */
  readonly total: number
  /** The ids of the page, in the order of mounts. */
  readonly page: readonly RouteId[]
  /** The ids of all routes that fit. Undefined: more than `MAX_IDS`. */
  readonly all: readonly RouteId[] | undefined
}

/** Ids that one query of the database names. */
const MAX_IDS = 1_000
/** Routes in one turn of the event loop: about 1 ms. */
const ROUTES_PER_TURN = 16_384

/** `services`: those whose name may be a part of the search. */
export async function searchRoutes(
  routes: Iterable<DirectoryRoute>,
  services: Iterable<DirectoryService>,
  { text, host, service, after, descending, limit }: RouteSearch,
): Promise<FoundRoutes> {
  const page = new FirstPlaces(limit, descending ? -1 : 1)
  const all: RouteId[] = []
  const named = new Set<ServiceId>()
  for (const { id, name } of services) if (name.includes(text)) named.add(id)
  let [total, looked] = [0, 0]
  for (const route of routes) {
    looked += 1
    if (looked % ROUTES_PER_TURN === 0) await nextTurn()
    if (host !== undefined && route.host !== host) continue
    const { service: its } = route
    if (service !== undefined && its.name !== service && its.id !== service) continue
    if (!route.mount.includes(text) && (named.size === 0 || !named.has(its.id))) continue
    total += 1
    if (all.length < MAX_IDS) all.push(route.id)
    if (after === undefined || page.isAfter(route, after)) page.offer(route)
  }
  return { total, page: page.ids(), all: total > MAX_IDS ? undefined : all }
}

/** Keeps the first routes of an order. Most routes are compared once, with the last kept one, and make no object. */
class FirstPlaces {
  readonly #limit: number
  readonly #sign: 1 | -1
  readonly #kept: DirectoryRoute[] = []

  constructor(limit: number, sign: 1 | -1) {
    this.#limit = limit
    this.#sign = sign
  }

  isAfter(route: DirectoryRoute, [host, mountPath, id]: MountPlace): boolean {
    return compare(route, host, mountPath, id) * this.#sign > 0
  }

  offer(route: DirectoryRoute): void {
    const last = this.#kept.at(-1)
    if (this.#kept.length === this.#limit && last !== undefined && !this.#isBefore(route, last)) return
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

  #isBefore(one: DirectoryRoute, { host, mountPath, id }: DirectoryRoute): boolean {
    return compare(one, host, mountPath, id) * this.#sign < 0
  }
}

/** Compares as the database does (COLLATE "C"): hosts and paths have ASCII characters only. */
function compare(one: DirectoryRoute, host: string, mountPath: string, id: string): number {
  if (one.host !== host) return one.host < host ? -1 : 1
  if (one.mountPath !== mountPath) return one.mountPath < mountPath ? -1 : 1
  if (one.id !== id) return one.id < id ? -1 : 1
  return 0
}
