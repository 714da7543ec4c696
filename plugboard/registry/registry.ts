// Who is connected where: service → lines. The tunnel endpoint writes the lines of its own tunnels as whole sets
// (a set written twice changes nothing), line pickers and status pages listen. Lines of other replicas come in
// one by one through `putRemote`: who may write what, and how long it counts, is for the code that attaches them
// to decide (registry-follower.ts).

import { type Line, sameLine } from './line.ts'
import type { LineId, TunnelId } from './line-ids.ts'

/** Told after the registry has changed. A listener must not throw. */
export interface RegistryListener {
  lineAdded?(line: Line): void
  /** Same id, other health, weight, version or labels. */
  lineChanged?(line: Line, before: Line): void
  lineRemoved?(line: Line): void
}

export class Registry {
  readonly #byTunnel = new Map<TunnelId, Map<LineId, Line>>()
  readonly #byService = new Map<string, Map<LineId, Line>>()
  readonly #listeners = new Set<RegistryListener>()

  /** Makes `lines` the whole set of this tunnel. An empty set removes the tunnel. */
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
   * Adds or changes a line that another replica wrote. They are not kept by tunnel: their owner does that, and a
   * map per tunnel would cost more than all the rest. False when the id is taken by a line of a third replica.
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

  /** Undoes `putRemote`. A line of the same id that another replica wrote stays. */
  removeRemote(line: Line): void {
    const present = this.#byService.get(line.service)?.get(line.id)
    if (present?.replicaId === line.replicaId) this.#remove(present)
  }

  /** The lines of a service, on whatever replica, healthy or not. */
  *linesOf(service: string): IterableIterator<Line> {
    yield* this.#byService.get(service)?.values() ?? []
  }

  /** Of a tunnel of this replica. */
  *linesOfTunnel(tunnelId: TunnelId): IterableIterator<Line> {
    yield* this.#byTunnel.get(tunnelId)?.values() ?? []
  }

  *lines(): IterableIterator<Line> {
    for (const lines of this.#byService.values()) yield* lines.values()
  }

  /** Returns the way to unsubscribe. */
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
