// Counts the open connections of each client address, so that one address cannot use up the limit for all clients. The
// counts change with connections, not with requests.

export class AddressCounts {
  readonly #counts = new Map<string, number>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  /** Counts a connection. Returns false, and does not count it, when it exceeds the limit. `group`: from `addressGroup`. */
  add(group: string): boolean {
    const count = this.#counts.get(group) ?? 0
    if (count >= this.#max) return false
    this.#counts.set(group, count + 1)
    return true
  }

  remove(group: string): void {
    const count = this.#counts.get(group) ?? 0
    if (count <= 1) this.#counts.delete(group)
    else this.#counts.set(group, count - 1)
  }
}
