// Maps host and path to a value, in memory. Mounts are terminal (no mount lies beneath another one of the same host pattern), so
// at most one mount of a pattern matches. A lookup is one hash probe for each leading part of the path, in each pattern that
// matches the host. Edits are in place. The table is generic and does not depend on routes.
//
//   exact hosts   app.example.com  ─▶ mounts {/api, /web/v2}
//   wildcards     .example.com     ─▶ mounts          (of *.example.com, longest first)
//   any           *                ─▶ mounts

/** The mounts of one host pattern. */
interface Mounts<Value> {
  readonly byPath: Map<string, Value>
  /** Number of mounts with 0, 1, 2, … segments. It bounds the probes, and shrinks when deep mounts are removed. */
  readonly perDepth: number[]
}

export class RouteTable<Value> {
  readonly #exact = new Map<string, Mounts<Value>>()
  /** The key is the part after the `*`: `.example.com`. */
  readonly #wildcards = new Map<string, Mounts<Value>>()
  #any: Mounts<Value> = { byPath: new Map(), perDepth: [] }

  /** Adds or replaces the value of exactly this mount. */
  set(host: string, mountPath: string, value: Value): void {
    const mounts = this.#mountsOf(host) ?? this.#addHost(host)
    if (!mounts.byPath.has(mountPath)) {
      const depth = depthOf(mountPath)
      while (mounts.perDepth.length <= depth) mounts.perDepth.push(0)
      mounts.perDepth[depth]! += 1
    }
    mounts.byPath.set(mountPath, value)
  }

  /** Returns the value of exactly this mount. */
  get(host: string, mountPath: string): Value | undefined {
    return this.#mountsOf(host)?.byPath.get(mountPath)
  }

  /** Returns the values of all mounts of exactly this host pattern. */
  valuesOf(host: string): Iterable<Value> {
    return this.#mountsOf(host)?.byPath.values() ?? []
  }

  delete(host: string, mountPath: string): boolean {
    const mounts = this.#mountsOf(host)
    if (mounts === undefined || !mounts.byPath.delete(mountPath)) return false
    mounts.perDepth[depthOf(mountPath)]! -= 1
    while (mounts.perDepth.at(-1) === 0) mounts.perDepth.pop()
    if (mounts.byPath.size === 0) {
      if (host.startsWith('*.')) this.#wildcards.delete(host.slice(1))
      else if (host !== '*') this.#exact.delete(host)
    }
    return true
  }

  /** Returns true when a mount has exactly this host. */
  hasHost(host: string): boolean {
    return this.#exact.has(host)
  }

  /** Returns the match of a host and a path in normal form: exact host first, then the longest wildcard, then `*`. */
  match(host: string, path: string): Value | undefined {
    const exact = this.#exact.get(host)
    if (exact !== undefined) {
      const found = probe(exact, path)
      if (found !== undefined) return found
    }
    if (this.#wildcards.size > 0) {
      for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
        const wildcard = this.#wildcards.get(host.slice(dot))
        const found = wildcard === undefined ? undefined : probe(wildcard, path)
        if (found !== undefined) return found
      }
    }
    return this.#any.byPath.size === 0 ? undefined : probe(this.#any, path)
  }

  #mountsOf(host: string): Mounts<Value> | undefined {
    if (host === '*') return this.#any
    return host.startsWith('*.') ? this.#wildcards.get(host.slice(1)) : this.#exact.get(host)
  }

  #addHost(host: string): Mounts<Value> {
    const mounts: Mounts<Value> = { byPath: new Map(), perDepth: [] }
    if (host.startsWith('*.')) this.#wildcards.set(host.slice(1), mounts)
    else this.#exact.set(host, mounts)
    return mounts
  }
}

/** Tries `/`, then `/a`, `/a/b`, … of the path, down to the depth of the deepest mount. */
function probe<Value>(mounts: Mounts<Value>, path: string): Value | undefined {
  const { byPath, perDepth } = mounts
  if (perDepth[0] === 1) return byPath.get('/')
  for (let depth = 1, end = 0; depth < perDepth.length && end < path.length; depth += 1) {
    end = path.indexOf('/', end + 1)
    if (end < 0) end = path.length
    if (perDepth[depth] === 0) continue
    const found = byPath.get(end === path.length ? path : path.slice(0, end))
    if (found !== undefined) return found
  }
  return undefined
}

function depthOf(mountPath: string): number {
  if (mountPath === '/') return 0
  let depth = 0
  for (let slash = 0; slash >= 0; slash = mountPath.indexOf('/', slash + 1)) depth += 1
  return depth
}
