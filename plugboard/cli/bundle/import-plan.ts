// Plans an import: the difference between a bundle and the current rows, as a list of steps. In their order, each route always
// has its service. The plan is a pure function; import-export.ts applies the steps.

import { isDeepStrictEqual } from 'node:util'
import type { RouteBody, ServiceBody } from '../../admin/api-types.ts'
import { maskedPasswords } from '../../common/passwords/masked-passwords.ts'
import { useOf } from '../words.ts'
import { type Bundle, normalMount } from './bundle.ts'

type JsonObject = Readonly<Record<string, unknown>>

interface Common {
  /** The line of the dry run: `+`, `~` or `-`, and the service or route. */
  readonly line: string
}
export type ImportStep = Common &
  (
    | { readonly method: 'POST'; readonly path: string; readonly body: JsonObject }
    | { readonly method: 'PATCH'; readonly path: string; readonly body: JsonObject; readonly version: number }
    | { readonly method: 'DELETE'; readonly path: string; readonly version: number }
  )

/** Returns the steps. `prune`: delete rows that are not in the bundle, except routes that telephones have claimed. */
export function planImport(
  bundle: Bundle,
  present: { readonly services: readonly ServiceBody[]; readonly routes: readonly RouteBody[] },
  prune: boolean,
): ImportStep[] {
  const services = new Map(present.services.map(row => [row.name, row]))
  const routes = new Map(present.routes.map(row => [row.mount, row]))
  const wantedRoutes = new Map(bundle.routes.map(route => [normalMount(route.mount), route]))
  const wantedServices = new Set(bundle.services.map(({ name }) => name))
  const steps: ImportStep[] = []

  for (const { name, policy } of bundle.services) {
    const row = services.get(name)
    if (row === undefined) {
      steps.push({ line: `+ service ${name}`, method: 'POST', path: '/v1/services', body: { name, policy } })
    } else if (!isDeepStrictEqual({ ...row.policy }, policy)) {
      const line = `~ service ${name}: ${differences(row.policy, policy)}`
      steps.push({ line, ...changeTo('services', row, { policy: mergePatch(row.policy, policy) }) })
    }
  }
  // Old routes are deleted before new ones are added, because an old mount may conflict with a new one.
  const removed = prune
    ? present.routes.filter(row => row.claimedBy === null && !wantedRoutes.has(row.mount))
    : []
  for (const row of removed)
    steps.push({ line: `- route ${row.mount} → ${useOf(row.service)}`, ...deletionOf('routes', row) })
  for (const [mount, { service, options }] of wantedRoutes) {
    const row = routes.get(mount)
    if (row === undefined) {
      const body = { mount, service, options }
      steps.push({ line: `+ route ${mount} → ${useOf(service)}`, method: 'POST', path: '/v1/routes', body })
      continue
    }
    const body = {
      ...(row.service === service ? {} : { service }),
      ...(isDeepStrictEqual({ ...row.options }, options)
        ? {}
        : { options: mergePatch(row.options, options) }),
    }
    if (Object.keys(body).length === 0) continue
    const parts = [
      row.service === service ? '' : `service ${useOf(row.service)} → ${useOf(service)}`,
      differences(row.options, options),
    ]
    const line = `~ route ${mount}: ${parts.filter(part => part !== '').join(', ')}`
    steps.push({ line, ...changeTo('routes', row, body) })
  }
  if (!prune) return steps
  const claimed = new Set(present.routes.filter(row => row.claimedBy !== null).map(row => row.service))
  for (const row of present.services) {
    if (wantedServices.has(row.name) || claimed.has(row.name)) continue
    steps.push({ line: `- service ${row.name}`, ...deletionOf('services', row) })
  }
  return steps
}

const changeTo = (kind: string, row: { id: string; version: number }, body: JsonObject) =>
  ({ method: 'PATCH', path: `/v1/${kind}/${row.id}`, body, version: row.version }) as const
const deletionOf = (kind: string, row: { id: string; version: number }) =>
  ({ method: 'DELETE', path: `/v1/${kind}/${row.id}`, version: row.version }) as const

/** Returns the merge patch that turns `before` into `after`. A key that is not in `after` becomes null. */
function mergePatch(before: JsonObject, after: JsonObject): JsonObject {
  return { ...Object.fromEntries(Object.keys(before).map(key => [key, null])), ...after }
}

function differences(before: JsonObject, after: JsonObject): string {
  const text = (value: unknown): string =>
    value === undefined ? 'default' : JSON.stringify(maskedPasswords(value))
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter(key => !isDeepStrictEqual(before[key], after[key]))
    .map(key => `${key} ${text(before[key])} → ${text(after[key])}`)
    .join(', ')
}
