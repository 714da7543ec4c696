// The difference between a bundle and the rows of the database: as the rows to write, and as the items of the response.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { formatMount, type Mount } from '@vera-stack/shared/mounts.ts'
import type { JsonObject } from '../../common/json.ts'
import { maskedPasswords } from '../../common/passwords/masked-passwords.ts'
import type { BundleWrite, CopiedRoute, CopiedService } from '../../database/store/bundle/bundle-rows.ts'
import { type RouteOptionsInput, withoutRequirements } from '../../routes/options/route-options.ts'
import { withoutPasswords } from '../../routes/options/route-secrets.ts'
import type { BundleItem } from '../bodies/bundle.ts'
import type { InputRoute, InputService } from './bundle-input.ts'

export interface RouteDifference {
  readonly created: readonly {
    readonly id: string
    readonly input: InputRoute
    readonly serviceId: string | null
  }[]
  readonly changed: readonly {
    readonly input: InputRoute
    readonly row: CopiedRoute
    readonly serviceId: string | null
    /** The options of the bundle, with stored hashes for equal passwords. */
    readonly options: JsonObject
  }[]
  readonly deleted: readonly CopiedRoute[]
  readonly unchanged: number
}

export interface BundleDifference {
  readonly services: {
    readonly created: readonly { readonly id: string; readonly input: InputService }[]
    readonly changed: readonly { readonly input: InputService; readonly row: CopiedService }[]
    readonly deleted: readonly CopiedService[]
    readonly unchanged: number
  }
  readonly routes: RouteDifference
  /** Returns the name of a service by its id, also of a new one. */
  readonly nameOf: (id: string | null) => string | null
}

export function isEmpty({ services, routes }: BundleDifference): boolean {
  return [services, routes].every(
    ({ created, changed, deleted }) => created.length + changed.length + deleted.length === 0,
  )
}

/** Rows that one turn of the event loop handles. */
const ROWS_PER_TURN = 1000

/** Resolves with the rows to write. Takes some tenths of a second for each password of the bundle. */
export async function writeOf({ services, routes }: BundleDifference): Promise<BundleWrite> {
  const created: BundleWrite['routes']['created'][number][] = []
  for (const { id, input, serviceId } of routes.created) {
    const options = input.hasPasswords ? await withHashes(input.options) : input.options
    created.push({ id, host: input.host, mountPath: input.path, serviceId, options })
    if (created.length % ROWS_PER_TURN === 0) await nextTurn()
  }
  const changed: BundleWrite['routes']['changed'][number][] = []
  for (const { input, row, serviceId, options } of routes.changed) {
    const stored = input.hasPasswords ? await withHashes(options) : options
    changed.push({ id: row.id, version: row.version, serviceId, options: stored })
    if (changed.length % ROWS_PER_TURN === 0) await nextTurn()
  }
  return {
    services: {
      created: services.created.map(({ id, input: { name, policy } }) => ({ id, name, policy })),
      changed: services.changed.map(({ input, row: { id, version } }) => ({
        id,
        version,
        policy: input.policy,
      })),
      deleted: services.deleted.map(({ id, version }) => ({ id, version })),
    },
    routes: { created, changed, deleted: routes.deleted.map(({ id, version }) => ({ id, version })) },
  }
}

const withHashes = (options: JsonObject): Promise<JsonObject> =>
  withoutPasswords(options as RouteOptionsInput)

/** Yields the differences in the form of the response, services first. Passwords and hashes are masked. */
export function* itemsOf({ services, routes, nameOf }: BundleDifference): Generator<BundleItem> {
  const service = (name: string, policy: JsonObject) => ({ name, policy })
  for (const { input } of services.created) {
    const { name, policy } = input
    yield { action: 'created', entity: 'service', name, before: null, after: service(name, policy) }
  }
  for (const { input, row } of services.changed) {
    const [before, after] = [service(row.name, row.policy), service(row.name, input.policy)]
    yield { action: 'changed', entity: 'service', name: row.name, before, after }
  }
  for (const { name, policy } of services.deleted) {
    yield { action: 'deleted', entity: 'service', name, before: service(name, policy), after: null }
  }
  const route = (mount: string, serviceId: string | null, options: JsonObject) => ({
    mount,
    service: nameOf(serviceId),
    options: maskedPasswords(withoutRequirements(options)),
  })
  for (const { input, serviceId } of routes.created) {
    const name = formatMount(input)
    const after = route(name, serviceId, input.options)
    yield { action: 'created', entity: 'route', name, before: null, after }
  }
  for (const { row, serviceId, options } of routes.changed) {
    const name = formatMount(mountOf(row))
    const [before, after] = [route(name, row.serviceId, row.options), route(name, serviceId, options)]
    yield { action: 'changed', entity: 'route', name, before, after }
  }
  for (const row of routes.deleted) {
    const name = formatMount(mountOf(row))
    const before = route(name, row.serviceId, row.options)
    yield { action: 'deleted', entity: 'route', name, before, after: null }
  }
}

export const mountOf = ({ host, mountPath }: CopiedRoute): Mount => ({ host, path: mountPath })
