// Detects that a mount of a connected telephone no longer leads to its service: its route was deleted (by an administrator,
// `route prune` or a lifetime that ended) or changed. The telephone gets its `announced` message again, with the mount in
// `lostMount`, and once more when a route is back. Each replica follows the change log, so each one notifies its own tunnels.
//
//   mounted ──route deleted or changed──▶ lost ──route added, or claimed by a new announcement──▶ mounted

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { parseMount } from '@vera-stack/shared/mounts.ts'
import { ScopeIndex } from '../common/ids/scope-index.ts'
import type { Directory, DirectoryRoute } from '../routes/directory.ts'
import { announcedNames } from '../routes/directory-entries.ts'
import {
  type AnnouncementDecision,
  type AnnouncementOptions,
  accepted,
  routeAt,
  routesOf,
} from './announcement.ts'
import type { Credential } from './tokens/authenticate.ts'

/** A tunnel of this replica. */
export interface MountedTunnel {
  /** Compares its decisions with the routes. Returns true while the tunnel has, or may have, a lost mount. Must not throw. */
  reviewMounts(removed: RemovedRoutes): boolean
}

export interface RemovedRoute {
  readonly mount: string
  /** True when the route exists, with another mount or another service. */
  readonly isChanged: boolean
}

/** The routes that were deleted or changed since the last review. */
export interface RemovedRoutes {
  readonly byId: ReadonlyMap<string, RemovedRoute>
  /** One removed route for each announced name of its service. */
  readonly byService: ReadonlyMap<string, RemovedRoute>
}

export interface LostMountsOptions {
  readonly directory: Pick<Directory, 'subscribe'>
  readonly clock: Clock
  /** All tunnels of this replica. */
  readonly tunnels: () => Iterable<MountedTunnel>
}

/** Changes within this time become one message, ms. A telephone accepts ten messages in a second. */
const COLLECT_MS = 500

export class LostMounts {
  readonly #options: LostMountsOptions
  readonly #unsubscribe: () => void
  /** Tunnels with a lost mount, which wait for a route. */
  readonly #waiting = new Set<MountedTunnel>()
  #byId = new Map<string, RemovedRoute>()
  #byService = new Map<string, RemovedRoute>()
  #timer: Timer | undefined

  constructor(options: LostMountsOptions) {
    this.#options = options
    this.#unsubscribe = options.directory.subscribe({
      routeChanged: (before, after) => this.#routeChanged(before, after),
    })
  }

  close(): void {
    this.#timer?.cancel()
    this.#unsubscribe()
  }

  /** The tunnel has ended. */
  remove(tunnel: MountedTunnel): void {
    this.#waiting.delete(tunnel)
  }

  #routeChanged(before: DirectoryRoute | undefined, after: DirectoryRoute | undefined): void {
    const leadsThere = after?.mount === before?.mount && after?.service.id === before?.service.id
    if (leadsThere) return
    if (before !== undefined) {
      const removed = { mount: before.mount, isChanged: after !== undefined }
      this.#byId.set(before.id, removed)
      for (const name of announcedNames(before.service)) this.#byService.set(name, removed)
    } else if (this.#waiting.size === 0) {
      // A new route concerns only tunnels with a lost mount.
      return
    }
    this.#timer ??= this.#options.clock.after(COLLECT_MS, () => this.#review())
  }

  #review(): void {
    this.#timer = undefined
    const removed = { byId: this.#byId, byService: this.#byService }
    this.#byId = new Map()
    this.#byService = new Map()
    const tunnels = removed.byId.size === 0 ? [...this.#waiting] : this.#options.tunnels()
    for (const tunnel of tunnels) {
      if (tunnel.reviewMounts(removed)) this.#waiting.add(tunnel)
      else this.#waiting.delete(tunnel)
    }
  }
}

/** Returns the decision for the current routes; the same object when the change does not concern it. */
export function reviewDecision(
  decision: AnnouncementDecision,
  removed: RemovedRoutes,
  credential: Credential,
  options: AnnouncementOptions,
): AnnouncementDecision {
  if (!decision.accepted) return decision
  const isLost = decision.lostMount !== undefined
  const change = removedRoute(decision, removed)
  if (!isLost && change === undefined) return decision
  const { announcement } = decision
  const mount = decision.mount ?? decision.claimedMount
  const present =
    mount === undefined ? firstRoute(announcement.service, options) : routeOf(mount, decision, options)
  if (present !== undefined) return accepted(announcement, options, mount, present)
  if (change === undefined) return decision
  const lostMount = mount ?? change.mount
  return {
    ...accepted(announcement, options, undefined),
    ...{
      lostMount,
      claimedMount: mount,
      detail: lossText(decision, { ...change, mount: lostMount }, credential),
    },
  }
}

/** Returns the removed route of the decision. Without an announced mount, only the loss of the service's last route counts. */
function removedRoute(
  decision: AnnouncementDecision,
  { byId, byService }: RemovedRoutes,
): RemovedRoute | undefined {
  if (decision.routeId !== undefined) return byId.get(decision.routeId)
  return decision.mount === undefined && decision.urls.length > 0
    ? byService.get(decision.announcement.service)
    : undefined
}

function firstRoute(service: string, options: AnnouncementOptions): DirectoryRoute | undefined {
  for (const route of routesOf(service, options)) return route
  return undefined
}

function routeOf(
  mount: string,
  { announcement }: AnnouncementDecision,
  options: AnnouncementOptions,
): DirectoryRoute | undefined {
  const parsed = parseMount(mount)
  return parsed.ok ? routeAt(parsed.value, announcement.service, options) : undefined
}

function lossText(
  { announcement, mount }: AnnouncementDecision,
  lost: RemovedRoute,
  credential: Credential,
): string {
  const cause = lost.isChanged
    ? `The route of mount ${lost.mount} was changed`
    : `The route of mount ${lost.mount} was deleted`
  const parsed = parseMount(lost.mount)
  const isClaimed = mount !== undefined && parsed.ok && new ScopeIndex(credential).coversMount(parsed.value)
  const remedy = isClaimed
    ? 'A new announcement claims the mount again, unless another service has it. To keep the mount free, stop this Telephone or revoke its token.'
    : `Add a route: plugboard route add ${lost.mount} --service ${announcement.service}`
  return `${cause}, so requests for it do not reach this service. ${remedy}`
}
