// How many connections each client address has open, so that one address cannot take all that there are. Changes
// with connections, not with requests.

export class AddressCounts {
  readonly #counts = new Map<string, number>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  /** False: this one would be too many; it is not counted then. `group`: of `addressGroup`. */
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
