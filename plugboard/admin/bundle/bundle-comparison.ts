// Compares a bundle with the rows of the database while they are read, and checks the result as a whole: services that routes name,
// mounts that conflict with routes that stay, names and aliases that mean two services, and the limits of the key. The result is
// the difference, which bundle-difference.ts writes and shows.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { formatMount, type Mount } from '@vera-stack/shared/mounts.ts'
import { ScopeIndex } from '../../common/ids/scope-index.ts'
import { UuidV7 } from '../../common/ids/uuid-v7.ts'
import type { JsonObject } from '../../common/json.ts'
import type {
  BundleCopySink,
  CopiedRoute,
  CopiedService,
  TouchedRow,
} from '../../database/store/bundle/bundle-rows.ts'
import type { Scope } from '../../database/store/store.ts'
import type { RouteOptionsInput } from '../../routes/options/route-options.ts'
import { withStoredHashes } from '../../routes/options/route-secrets.ts'
import { describeLimits } from '../access/key-limits.ts'
import { type BundleDifference, mountOf, type RouteDifference } from './bundle-difference.ts'
import type { BundleInput, InputRoute, InputService } from './bundle-input.ts'
import { BundleProblems } from './bundle-problems.ts'

/** Rows that one turn of the event loop handles. */
const ROWS_PER_TURN = 500

export interface ComparisonOptions {
  /** True to delete rows that are absent from the bundle, except claimed routes and rows beyond the limits of the key. */
  readonly prune: boolean
  /** The limits of the key of the request. */
  readonly limits: Scope | null
}

export class BundleComparison implements BundleCopySink {
  readonly #ids = new UuidV7()
  readonly #input: BundleInput
  readonly #options: ComparisonOptions
  readonly #limits: ScopeIndex | undefined
  readonly #services = new Map<string, CopiedService>()
  readonly #serviceNames = new Map<string, string>()
  /** Ids of services of the bundle that do not exist yet. */
  readonly #newServices = new Map<string, string>()
  readonly #touched = new Set<string>()
  /** Services that routes need which stay or arrive. */
  readonly #used = new Set<string>()
  readonly #seen = new Set<InputRoute>()
  readonly #changed: RouteDifference['changed'][number][] = []
  readonly #deleted: CopiedRoute[] = []
  readonly #unsure: { readonly input: InputRoute; readonly row: CopiedRoute }[] = []
  #unchanged = 0
  readonly #conflicts = new BundleProblems('mount_conflict')
  #servicesEnded = false

  constructor(input: BundleInput, options: ComparisonOptions) {
    this.#input = input
    this.#options = options
    this.#limits = options.limits === null ? undefined : new ScopeIndex(options.limits)
  }

  service(row: CopiedService): void {
    this.#services.set(row.name, row)
    this.#serviceNames.set(row.id, row.name)
  }

  readonly touched = (row: TouchedRow): void => {
    this.#touched.add(row.entity === 'service' ? `service ${row.name}` : `route ${row.host}${row.mountPath}`)
  }

  /** Throws `mount_conflict` when there are too many problems. */
  route(row: CopiedRoute): void {
    this.#endServices()
    const mount = mountOf(row)
    const input = this.#input.routes.get(mount)
    if (input !== undefined) {
      this.#compare(input, row)
      return
    }
    const { prune } = this.#options
    if (prune && row.claimedBy === null && this.#isWithinLimits(mount, this.#nameOf(row.serviceId))) {
      this.#deleted.push(row)
      return
    }
    if (row.serviceId !== null) this.#used.add(row.serviceId)
    const other = this.#input.routes.inTheWayOf(mount)
    if (other === undefined) return
    const relation = other.path.length < row.mountPath.length ? 'above' : 'beneath'
    const service = this.#nameOf(row.serviceId)
    const use = service === null ? '' : ` of the service "${service}"`
    this.#conflicts.add(
      `/routes/${other.index}/mount`,
      `${formatMount(other)} lies ${relation} ${formatMount(mount)}${use}, which is not in the bundle. Choose another mount, or delete the other route: plugboard route rm ${row.id}`,
    )
  }

  /** Resolves with the difference. Throws `invalid_request`, `forbidden`, `mount_conflict`, `conflict`, `precondition_failed`. */
  async finish(): Promise<BundleDifference> {
    this.#endServices()
    const created = await this.#createdRoutes()
    this.#conflicts.throwIfAny()
    for (const { input, row } of this.#unsure) {
      const options = await withStoredHashes(input.options as RouteOptionsInput, row.options)
      this.#settle(input, row, options)
    }
    const services = await this.#serviceDifference()
    const difference: BundleDifference = {
      services,
      routes: {
        created,
        changed: this.#changed,
        deleted: this.#deleted,
        unchanged: this.#unchanged,
      },
      nameOf: id => this.#nameOf(id),
    }
    await this.#refuseSharedNames(services)
    this.#refuseBeyondLimits(difference)
    this.#refuseTouched(difference)
    return difference
  }

  #endServices(): void {
    if (this.#servicesEnded) return
    this.#servicesEnded = true
    for (const { name } of this.#input.services.values()) {
      if (!this.#services.has(name)) {
        const id = this.#ids.next()
        this.#newServices.set(name, id)
        this.#serviceNames.set(id, name)
      }
    }
  }

  #compare(input: InputRoute, row: CopiedRoute): void {
    this.#seen.add(input)
    if (input.hasPasswords) this.#unsure.push({ input, row })
    else this.#settle(input, row, input.options)
  }

  #settle(input: InputRoute, row: CopiedRoute, options: JsonObject): void {
    const serviceId = this.#serviceIdOf(input.service)
    if (serviceId === row.serviceId && isDeepStrictEqual(options, row.options)) this.#unchanged += 1
    else this.#changed.push({ input, row, serviceId: serviceId ?? null, options })
  }

  /** Returns null for a route without a service, and undefined when no service has the name or id. */
  #serviceIdOf(service: string | null): string | null | undefined {
    if (service === null) return null
    const id = this.#services.get(service)?.id ?? this.#newServices.get(service)
    if (id !== undefined) return id
    return this.#serviceNames.has(service) ? service : undefined
  }

  #nameOf(id: string | null): string | null {
    return id === null ? null : (this.#serviceNames.get(id) ?? null)
  }

  /** New rows get ids in the order of time, so that neighbours in the indexes are written together. */
  async #createdRoutes(): Promise<RouteDifference['created']> {
    const missing = new BundleProblems('invalid_request')
    const created: RouteDifference['created'][number][] = []
    for (const [place, input] of this.#input.routeList.entries()) {
      if (place % ROWS_PER_TURN === ROWS_PER_TURN - 1) await nextTurn()
      const serviceId = this.#serviceIdOf(input.service)
      if (serviceId === undefined) {
        missing.add(
          `/routes/${input.index}/service`,
          `There is no service "${input.service}". Add it to the bundle.`,
        )
        continue
      }
      if (serviceId !== null) this.#used.add(serviceId)
      if (!this.#seen.has(input)) created.push({ id: this.#ids.next(), input, serviceId })
    }
    missing.throwIfAny()
    return created
  }

  async #serviceDifference(): Promise<BundleDifference['services']> {
    const created: { id: string; input: InputService }[] = []
    const changed: { input: InputService; row: CopiedService }[] = []
    const deleted: CopiedService[] = []
    let unchanged = 0
    let count = 0
    for (const input of this.#input.services.values()) {
      if (++count % ROWS_PER_TURN === 0) await nextTurn()
      const row = this.#services.get(input.name)
      if (row === undefined) {
        created.push({ id: this.#newServices.get(input.name)!, input })
        continue
      }
      const policy = withInspectorOf(row, input.policy)
      if (isDeepStrictEqual(row.policy, policy)) unchanged += 1
      else changed.push({ input: { ...input, policy }, row })
    }
    if (this.#options.prune) {
      for (const row of this.#services.values()) {
        if (this.#input.services.has(row.name) || this.#used.has(row.id)) continue
        if (this.#limits?.coversService(row.name) !== false) deleted.push(row)
      }
    }
    return { created, changed, deleted, unchanged }
  }

  /** The database has no rule for aliases, so the write checks them again. */
  async #refuseSharedNames({ deleted }: BundleDifference['services']): Promise<void> {
    const problems = new BundleProblems('conflict')
    const gone = new Set(deleted.map(({ name }) => name))
    const owners = new Map<string, string>()
    const names = new Set([...this.#services.keys(), ...this.#input.services.keys()])
    for (const name of names) if (!gone.has(name)) owners.set(name, name)
    let count = 0
    for (const name of owners.values()) {
      if (++count % ROWS_PER_TURN === 0) await nextTurn()
      const input = this.#input.services.get(name)
      const aliases = (input ?? this.#services.get(name))?.policy.aliases
      for (const [place, alias] of (Array.isArray(aliases) ? aliases : []).entries()) {
        if (typeof alias !== 'string' || alias === name) continue
        const other = owners.get(alias)
        const own = input !== undefined
        if (other === undefined) {
          owners.set(alias, name)
          continue
        }
        if (other === name) continue
        const index = this.#input.services.get(other)?.index
        if (own) {
          problems.add(
            `/services/${input.index}/policy/aliases/${place}`,
            `"${alias}" is also a name or an alias of the service "${other}". Remove it from one of them.`,
          )
        } else if (index !== undefined) {
          problems.add(
            `/services/${index}`,
            `"${alias}" is a former name of service "${name}", and telephones may still announce it. Remove it from the aliases of that service first.`,
          )
        }
      }
    }
    problems.throwIfAny()
  }

  #isWithinLimits(mount: Mount, service: string | null): boolean {
    const limits = this.#limits
    if (limits === undefined) return true
    return limits.coversMount(mount) && (service === null || limits.coversService(service))
  }

  #refuseBeyondLimits({ services, routes }: BundleDifference): void {
    const [limits, { limits: texts }] = [this.#limits, this.#options]
    if (limits === undefined || texts === null) return
    const problems = new BundleProblems('forbidden')
    const own = describeLimits(texts)
    const checkService = (name: string | null, pointer: string): void => {
      if (name === null || limits.coversService(name)) return
      problems.add(pointer, `The service ${name} is beyond the limits of your key.`, own)
    }
    for (const change of [...services.created, ...services.changed]) {
      const { name, index, policy } = change.input
      checkService(name, `/services/${index}/name`)
      const before = 'row' in change ? change.row.policy.aliases : undefined
      if (isDeepStrictEqual(policy.aliases, before)) continue
      for (const [place, alias] of (Array.isArray(policy.aliases) ? policy.aliases : []).entries()) {
        checkService(String(alias), `/services/${index}/policy/aliases/${place}`)
      }
    }
    for (const change of [...routes.created, ...routes.changed]) {
      const { input, serviceId } = change
      if (!limits.coversMount(input)) {
        const text = `The mount ${formatMount(input)} is beyond the limits of your key.`
        problems.add(`/routes/${input.index}/mount`, text, own)
      }
      checkService(this.#nameOf(serviceId), `/routes/${input.index}/service`)
      if ('row' in change) checkService(this.#nameOf(change.row.serviceId), `/routes/${input.index}`)
    }
    problems.throwIfAny()
  }

  /** Throws when a change after the sequence of the request concerns a row that the bundle would change. */
  #refuseTouched({ services, routes }: BundleDifference): void {
    if (this.#touched.size === 0) return
    const problems = new BundleProblems('precondition_failed')
    const check = (name: string, pointer: string): void => {
      if (this.#touched.has(name))
        problems.add(pointer, `The ${name} has changed since.`, 'Read the rows again.')
    }
    for (const { input } of [...services.created, ...services.changed]) {
      check(`service ${input.name}`, `/services/${input.index}`)
    }
    for (const { input } of [...routes.created, ...routes.changed]) {
      check(`route ${input.host}${input.path}`, `/routes/${input.index}`)
    }
    for (const { name } of services.deleted) check(`service ${name}`, '/services')
    for (const { host, mountPath } of routes.deleted) check(`route ${host}${mountPath}`, '/routes')
    problems.throwIfAny()
  }
}

/** Returns the policy with the inspector that runs now: it ends after hours, so a bundle does not contain it. */
function withInspectorOf({ policy: { inspect } }: CopiedService, policy: JsonObject): JsonObject {
  return inspect === undefined ? policy : { ...policy, inspect }
}
