// The set of all lines, by service. The tunnels of this replica write their lines as complete sets, so that a repeated write has
// no effect. Line pickers and status pages subscribe to changes. Lines of other replicas are added one by one through
// `putRemote`; registry-follower.ts decides which of them count, and for how long.

import { type Line, sameLine } from './line.ts'
import type { LineId, TunnelId } from './line-ids.ts'

/** Called after a change of the registry. A listener must not throw. */
export interface RegistryListener {
  lineAdded?(line: Line): void
  /** Called with a line of the same id and another health, weight, version or labels. */
  lineChanged?(line: Line, before: Line): void
  lineRemoved?(line: Line): void
}

export class Registry {
  readonly #byTunnel = new Map<TunnelId, Map<LineId, Line>>()
  readonly #byService = new Map<string, Map<LineId, Line>>()
  readonly #listeners = new Set<RegistryListener>()

  /** Replaces all lines of a tunnel with `lines`. An empty list removes the tunnel. */
  replace(tunnelId: TunnelId, lines: readonly Line[]): void {
    const before = this.#byTunnel.get(tunnelId)
    const after = new Map(lines.map(line => [line.id, line]))
    for (const line of before?.values() ?? []) {
      if (!after.has(line.id)) this.#remove(line)
    }
    if (after.size === 0) this.#byTunnel.delete(tunnelId)
    else this.#byTunnel.set(tunnelId, after)
    for (const line of after.values()) {
      const old = before?.get(line.id)
      if (old === undefined) this.#add(line)
      else if (!sameLine(old, line)) this.#change(line, old)
    }
  }

  /**
   * Adds or changes a line of another replica. Remote lines are not indexed by tunnel, because a map per tunnel would cost more
   * memory than all other parts. Returns false when a third replica has a line with this id.
   */
  putRemote(line: Line): boolean {
    const lines = this.#byService.get(line.service)
    const before = lines?.get(line.id)
    if (before === undefined) this.#add(line)
    else if (before.replicaId !== line.replicaId) return false
    else if (sameLine(before, line)) lines?.set(line.id, line)
    else this.#change(line, before)
    return true
  }

  /** Removes a line of another replica. A line with the same id from a third replica stays. */
  removeRemote(line: Line): void {
    const present = this.#byService.get(line.service)?.get(line.id)
    if (present?.replicaId === line.replicaId) this.#remove(present)
  }

  /** Returns the lines of a service on all replicas, healthy or not. */
  *linesOf(service: string): IterableIterator<Line> {
    yield* this.#byService.get(service)?.values() ?? []
  }

  /** Returns the lines of a tunnel of this replica. */
  *linesOfTunnel(tunnelId: TunnelId): IterableIterator<Line> {
    yield* this.#byTunnel.get(tunnelId)?.values() ?? []
  }

  *lines(): IterableIterator<Line> {
    for (const lines of this.#byService.values()) yield* lines.values()
  }

  /** Returns a function that unsubscribes. */
  subscribe(listener: RegistryListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #add(line: Line): void {
    let lines = this.#byService.get(line.service)
    if (lines === undefined) {
      lines = new Map()
      this.#byService.set(line.service, lines)
    }
    lines.set(line.id, line)
    for (const listener of this.#listeners) listener.lineAdded?.(line)
  }

  #change(line: Line, before: Line): void {
    this.#byService.get(line.service)?.set(line.id, line)
    for (const listener of this.#listeners) listener.lineChanged?.(line, before)
  }

  #remove(line: Line): void {
    const lines = this.#byService.get(line.service)
    lines?.delete(line.id)
    if (lines?.size === 0) this.#byService.delete(line.service)
    for (const listener of this.#listeners) listener.lineRemoved?.(line)
  }
}
