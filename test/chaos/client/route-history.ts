// The history of edited hosts: the service of each host at each time, for the check of responses. The new destination of an
// edit is possible from the time when the edit was sent. The old destination is possible until the acknowledgement, plus the
// time that a replica may need to receive the edit.

/** The name of a service; null: no route. */
export type Destination = string | null

interface Edit {
  readonly to: Destination
  readonly sentAtMs: number
  /** Infinity while the edit is in progress. Undefined: its result is unknown. */
  acknowledgedAtMs: number | undefined
}

export class RouteHistory {
  readonly #edits = new Map<string, Edit[]>()

  get hosts(): string[] {
    return [...this.#edits.keys()]
  }

  /** Sets the first destination of a host. */
  begin(host: string, to: Destination): void {
    this.#edits.set(host, [{ to, sentAtMs: 0, acknowledgedAtMs: 0 }])
  }

  /** Records an edit that is sent now. Call the returned function once: with the time of the acknowledgement, or undefined. */
  edit(host: string, to: Destination, nowMs: number): (acknowledgedAtMs: number | undefined) => void {
    const edit: Edit = { to, sentAtMs: nowMs, acknowledgedAtMs: Number.POSITIVE_INFINITY }
    this.#of(host).push(edit)
    return acknowledgedAtMs => {
      edit.acknowledgedAtMs = acknowledgedAtMs
    }
  }

  /** Removes the last edit, because it was rejected. */
  undo(host: string): void {
    this.#of(host).pop()
  }

  /** Returns the destination after the last edit. Undefined while it is unknown. */
  current(host: string): Destination | undefined {
    const last = this.#of(host).at(-1)
    return last !== undefined && Number.isFinite(last.acknowledgedAtMs) ? last.to : undefined
  }

  /** Returns the possible destinations of a request of that time, at a replica that receives edits within `lagMs`. */
  possible(host: string, fromMs: number, untilMs: number, lagMs: number): Set<Destination> {
    return new Set(
      this.#of(host)
        .filter((edit, index) => edit.sentAtMs <= untilMs && this.#overAtMs(host, index) + lagMs >= fromMs)
        .map(({ to }) => to),
    )
  }

  /** Returns the time between the replacement of the destination and `atMs`. Undefined: it was not replaced. */
  staleMs(host: string, to: Destination, atMs: number): number | undefined {
    const edits = this.#of(host)
    const index = edits.findLastIndex(edit => edit.to === to && edit.sentAtMs <= atMs)
    const overAtMs = this.#overAtMs(host, index)
    return overAtMs < atMs ? atMs - overAtMs : undefined
  }

  #overAtMs(host: string, index: number): number {
    const next = this.#of(host)
      .slice(index + 1)
      .find(({ acknowledgedAtMs }) => acknowledgedAtMs !== undefined)
    return next?.acknowledgedAtMs ?? Number.POSITIVE_INFINITY
  }

  #of(host: string): Edit[] {
    const edits = this.#edits.get(host)
    if (edits === undefined) throw new Error(`the host ${host} has no history`)
    return edits
  }
}
