// The services and routes of a bundle, checked one by one while the bundle arrives. It knows no row of the database:
// bundle-comparison.ts compares it with them.

import { formatMount, type Mount, parseMount } from '@vera-stack/shared/mounts.ts'
import type { JsonObject } from '../../common/json.ts'
import type { OutboundNetworks } from '../../routes/options/outbound-networks.ts'
import { withRequirements } from '../../routes/options/route-options.ts'
import { plainPasswords } from '../../routes/options/route-secrets.ts'
import { newRouteSchema } from '../bodies/route.ts'
import { newServiceSchema } from '../bodies/service.ts'
import { validationError } from '../http/problem.ts'
import { newRouteProblems } from '../resources/routes/routes.ts'
import { policyProblems } from '../resources/services.ts'
import { BundleProblems } from './bundle-problems.ts'
import type { BundleList, BundlePart } from './bundle-scanner.ts'
import { MountIndex } from './mount-index.ts'

/** Services and routes of one bundle. Each takes some hundred bytes of memory. */
const MAX_ROWS = 500_000
/** Passwords in one bundle that are not hashed. A hash takes some tenths of a second. */
const MAX_PASSWORDS = 50

const BUNDLE_VERSION = 1

export interface InputService {
  readonly index: number
  readonly name: string
  readonly policy: JsonObject
}

export interface InputRoute extends Mount {
  readonly index: number
  /** Name or id. */
  readonly service: string | null
  /** As they are stored, except passwords without a hash. */
  readonly options: JsonObject
  readonly hasPasswords: boolean
}

const NO_INSPECTOR =
  'ends after hours, so a bundle does not contain it; set it with `plugboard service set NAME --inspect 30m`'

export class BundleInput {
  readonly services = new Map<string, InputService>()
  readonly routes = new MountIndex<InputRoute>()
  readonly routeList: InputRoute[] = []
  readonly #outbound: OutboundNetworks
  /** The lists that the bundle has, even empty ones. */
  readonly #has = new Set<BundleList>()
  readonly #problems = new BundleProblems('invalid_request')
  #version: unknown
  #passwords = 0

  constructor(outbound: OutboundNetworks) {
    this.#outbound = outbound
  }

  /** Throws `invalid_request` when there are too many problems. */
  add(part: BundlePart): void {
    switch (part.kind) {
      case 'list':
        this.#has.add(part.list)
        return
      case 'element':
        if (part.list === 'services') this.#addService(part.index, part.pointer, part.value)
        else this.#addRoute(part.index, part.pointer, part.value)
        return
      case 'value':
        if (part.key === 'version') this.#version = part.value
        else {
          const isList = part.key === 'services' || part.key === 'routes'
          this.#problems.add(part.pointer, isList ? 'is not a list' : 'unknown field')
        }
        return
    }
  }

  /** Throws `invalid_request` with all problems. `prune`: rows that are absent from the bundle are to be deleted. */
  end(prune: boolean): void {
    if (this.#version !== BUNDLE_VERSION) {
      const text = this.#version === undefined ? 'is required' : `must be ${BUNDLE_VERSION}`
      this.#problems.add('/version', text)
    }
    if (prune) {
      for (const list of ['services', 'routes'] as const) {
        if (this.#has.has(list)) continue
        this.#problems.add(`/${list}`, `is required with prune: send an empty list to delete all ${list}`)
      }
    }
    this.#problems.throwIfAny()
  }

  #addService(index: number, pointer: string, value: unknown): void {
    const parsed = newServiceSchema.safeParse(value)
    if (!parsed.success) {
      this.#refuse(pointer, parsed.error.issues)
      return
    }
    const { name, policy = {} } = parsed.data
    const problems = policyProblems(policy)
    if (Object.hasOwn(policy, 'inspect'))
      problems.push({ path: ['policy', 'inspect'], message: NO_INSPECTOR })
    for (const problem of problems)
      this.#problems.add(`${pointer}/${problem.path.join('/')}`, problem.message)
    const twin = this.services.get(name)
    if (twin !== undefined)
      this.#problems.add(`${pointer}/name`, `"${name}" is also the name of /services/${twin.index}`)
    this.services.set(name, { index, name, policy: policy as JsonObject })
    this.#countRows()
  }

  #addRoute(index: number, pointer: string, value: unknown): void {
    const parsed = newRouteSchema.safeParse(value)
    if (!parsed.success) {
      this.#refuse(pointer, parsed.error.issues)
      return
    }
    const { mount: text, service = null, options = {} } = parsed.data
    for (const problem of newRouteProblems({ mount: text, service, options }, this.#outbound)) {
      this.#problems.add(`${pointer}/${problem.path.join('/')}`, problem.message)
    }
    const mount = parseMount(text)
    if (!mount.ok) {
      this.#problems.add(`${pointer}/mount`, mount.problem)
      return
    }
    const other = this.routes.inTheWayOf(mount.value)
    if (other !== undefined) {
      const where = `${formatMount(other)} of /routes/${other.index}`
      const same = other.host === mount.value.host && other.path === mount.value.path
      const relation = same
        ? 'is the same mount as'
        : other.path.length < mount.value.path.length
          ? 'lies beneath'
          : 'lies above'
      this.#problems.add(`${pointer}/mount`, `${formatMount(mount.value)} ${relation} ${where}`)
    }
    const passwords = plainPasswords(options)
    this.#passwords += passwords
    if (this.#passwords > MAX_PASSWORDS) {
      const text = `the bundle has more than ${MAX_PASSWORDS} passwords. Send hashes, as plugboard export writes them`
      this.#problems.add(`${pointer}/options/access/basic/users`, text)
      this.#problems.throwIfAny()
    }
    const route = {
      ...mount.value,
      index,
      service,
      options: withRequirements(options as JsonObject),
      hasPasswords: passwords > 0,
    }
    this.routes.add(route, route)
    this.routeList.push(route)
    this.#countRows()
  }

  #countRows(): void {
    if (this.services.size + this.routeList.length <= MAX_ROWS) return
    this.#problems.add('', `the bundle has more than ${MAX_ROWS} services and routes`)
    this.#problems.throwIfAny()
  }

  #refuse(pointer: string, issues: Parameters<typeof validationError>[1]): void {
    for (const culprit of validationError('json', issues).culprits) {
      this.#problems.add(`${pointer}${culprit.pointer ?? ''}`, culprit.detail)
    }
  }
}
