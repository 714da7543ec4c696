// Finds mounts that lie on, above or beneath another one. It decides as the schema does (migrations/0005_route_rules.sql), for the
// routes of a bundle, before the transaction. A lookup takes as many steps as the path has segments.

import type { Mount } from '@vera-stack/shared/mounts.ts'

export class MountIndex<Value> {
  readonly #at = new Map<string, Value>()
  /** A mount beneath each prefix of a path. */
  readonly #beneath = new Map<string, Value>()

  add({ host, path }: Mount, value: Value): void {
    this.#at.set(host + path, value)
    for (const prefix of prefixes(path)) this.#beneath.set(host + prefix, value)
  }

  get({ host, path }: Mount): Value | undefined {
    return this.#at.get(host + path)
  }

  /** Returns the entry that keeps the mount from being terminal. An entry at the mount itself counts too. */
  inTheWayOf({ host, path }: Mount): Value | undefined {
    const found = this.#at.get(host + path) ?? this.#beneath.get(host + path)
    if (found !== undefined) return found
    for (const prefix of prefixes(path)) {
      const above = this.#at.get(host + prefix)
      if (above !== undefined) return above
    }
    return undefined
  }
}

/** Yields the mount paths above a path: `/` and `/a` for `/a/b`. */
function* prefixes(path: string): Generator<string> {
  if (path === '/') return
  yield '/'
  for (let slash = path.indexOf('/', 1); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    yield path.slice(0, slash)
  }
}
