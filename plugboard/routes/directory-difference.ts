// The notifications for listeners after a reload: what differs between the old state of the directory and the new one. A large table
// takes many turns of the event loop.

import { isDeepStrictEqual } from 'node:util'
import type { DirectoryListener, DirectoryRoute, DirectoryService } from './directory-entries.ts'
import type { DirectoryState } from './directory-state.ts'

type Notify = (listener: DirectoryListener) => void

/**
 * Yields once for each row of both states, so that the caller can give way to other work: a notification, or undefined for a row
 * that did not change. Revocations and keys come first. The caller must finish the iteration before it applies a change to `after`.
 */
export function* difference(before: DirectoryState, after: DirectoryState): Generator<Notify | undefined> {
  for (const id of after.revocations.keys()) {
    yield before.revocations.has(id) ? undefined : listener => listener.tokenRevoked?.(id)
  }
  const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)
  if (!same([...before.keys.keys()].sort(), [...after.keys.keys()].sort())) {
    yield listener => listener.keysChanged?.()
  }
  for (const row of before.overrides) {
    yield after.overrides.get(row) === undefined
      ? listener => listener.overrideChanged?.(row.serviceId, row.instance)
      : undefined
  }
  for (const row of after.overrides) {
    yield same(before.overrides.get(row), row)
      ? undefined
      : listener => listener.overrideChanged?.(row.serviceId, row.instance)
  }
  for (const [id, service] of before.services) {
    yield after.services.has(id) ? undefined : listener => listener.serviceChanged?.(service, undefined)
  }
  for (const [id, service] of after.services) {
    const old = before.services.get(id)
    yield same(settingsOf(old), settingsOf(service))
      ? undefined
      : listener => listener.serviceChanged?.(old, service)
  }
  for (const [id, route] of before.routes) {
    yield after.routes.has(id) ? undefined : listener => listener.routeChanged?.(route, undefined)
  }
  for (const [id, route] of after.routes) {
    const old = before.routes.get(id)
    yield isSameRoute(old, route) ? undefined : listener => listener.routeChanged?.(old, route)
  }
}

/** Returns the fields of a service that its row sets. */
function settingsOf(service: DirectoryService | undefined): object | undefined {
  return service && { name: service.name, policy: service.policy }
}

function isSameRoute(one: DirectoryRoute | undefined, other: DirectoryRoute): boolean {
  return (
    one !== undefined &&
    one.host === other.host &&
    one.mountPath === other.mountPath &&
    one.service.id === other.service.id &&
    one.lifetimeMs === other.lifetimeMs &&
    isDeepStrictEqual(one.options, other.options)
  )
}
