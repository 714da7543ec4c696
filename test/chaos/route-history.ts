// Which service each edited host led to, and when: what an answer is held against. An edit counts as possible from
// the moment it was sent; what it replaced stops being possible once it was acknowledged, plus the time that a
// replica may need to hear of it.

/** A service's name, or null for no route. */
export type Destination = string | null

interface Edit {
  readonly to: Destination
  readonly sentAtMs: number
  /** Infinity while it is under way; undefined: nobody knows what became of it. */
  acknowledgedAtMs: number | undefined
}

export class RouteHistory {
  readonly #edits = new Map<string, Edit[]>()

  get hosts(): string[] {
    return [...this.#edits.keys()]
  }

  /** How the host is at the beginning. */
  begin(host: string, to: Destination): void {
    this.#edits.set(host, [{ to, sentAtMs: 0, acknowledgedAtMs: 0 }])
  }

  /** An edit is on its way. Call the answer's function once: acknowledged now, or with what nobody knows. */
  edit(host: string, to: Destination, nowMs: number): (acknowledgedAtMs: number | undefined) => void {
    const edit: Edit = { to, sentAtMs: nowMs, acknowledgedAtMs: Number.POSITIVE_INFINITY }
    this.#of(host).push(edit)
    return acknowledgedAtMs => {
      edit.acknowledgedAtMs = acknowledgedAtMs
    }
  }

  /** An edit that was refused never was. */
  undo(host: string): void {
    this.#of(host).pop()
  }

  /** Where the last edit led; undefined while nobody knows. */
  current(host: string): Destination | undefined {
    const last = this.#of(host).at(-1)
    return last !== undefined && Number.isFinite(last.acknowledgedAtMs) ? last.to : undefined
  }

  /** What may be answered to a request of that time by a replica that hears of edits within `lagMs`. */
  possible(host: string, fromMs: number, untilMs: number, lagMs: number): Set<Destination> {
    return new Set(
      this.#of(host)
        .filter((edit, index) => edit.sentAtMs <= untilMs && this.#overAtMs(host, index) + lagMs >= fromMs)
        .map(({ to }) => to),
    )
  }

  /** How long ago, at `atMs`, the destination was replaced for good; undefined: it was not. */
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
    if (edits === undefined) throw new Error(`no history of ${host}`)
    return edits
  }
}
