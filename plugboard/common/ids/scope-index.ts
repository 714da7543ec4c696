// Looks up what a list of scopes covers, as `serviceScopeCovers` and `mountScopeCovers` do for one scope. A token has up
// to 1000 scopes of each kind and announces up to 1000 services: compared one by one, these are a million comparisons in
// one turn of the event loop. The scopes are parsed once, and a lookup takes as many steps as the name has parts.

import { type Mount, parseMount } from '@vera-stack/shared/mounts.ts'

export class ScopeIndex {
  readonly #services: ReadonlySet<string>
  /** The texts before the `*`. */
  readonly #servicePrefixes: ReadonlySet<string>
  /** Paths by host pattern. */
  readonly #mounts: ReadonlyMap<string, ReadonlySet<string>>

  constructor({
    services,
    mounts,
  }: { readonly services: readonly string[]; readonly mounts: readonly string[] }) {
    const isPrefix = (scope: string): boolean => scope.endsWith('*')
    this.#services = new Set(services.filter(scope => !isPrefix(scope)))
    this.#servicePrefixes = new Set(services.filter(isPrefix).map(scope => scope.slice(0, -1)))
    this.#mounts = pathsByHost(mounts)
  }

  coversService(service: string): boolean {
    if (this.#services.has(service)) return true
    if (this.#servicePrefixes.size === 0) return false
    for (let length = 0; length <= service.length; length += 1) {
      if (this.#servicePrefixes.has(service.slice(0, length))) return true
    }
    return false
  }

  coversMount({ host, path }: Mount): boolean {
    if (this.#coversPath('*', path) || this.#coversPath(host, path)) return true
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      if (this.#coversPath(`*${host.slice(dot)}`, path)) return true
    }
    return false
  }

  #coversPath(pattern: string, path: string): boolean {
    const paths = this.#mounts.get(pattern)
    if (paths === undefined) return false
    if (paths.has('/') || paths.has(path)) return true
    for (let slash = path.indexOf('/', 1); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (paths.has(path.slice(0, slash))) return true
    }
    return false
  }
}

/** Returns the paths of the scopes by host. A scope that is not a valid mount is left out, so it covers no mount. */
function pathsByHost(scopes: readonly string[]): Map<string, Set<string>> {
  const mounts = new Map<string, Set<string>>()
  for (const scope of scopes) {
    const parsed = parseMount(scope)
    if (!parsed.ok) continue
    const { host, path } = parsed.value
    const paths = mounts.get(host)
    if (paths === undefined) mounts.set(host, new Set([path]))
    else paths.add(path)
  }
  return mounts
}
