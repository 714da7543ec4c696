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

/** Whom an address stands for: itself, and in IPv6 its /64, since a single host has all of that to choose from. */
export function addressGroup(address: string): string {
  if (!address.includes(':')) return address
  const [before = '', after = ''] = (address.split('%', 1)[0] as string).split('::', 2)
  const first = before === '' ? [] : before.split(':')
  const last = after === '' ? [] : after.split(':')
  // Without `::` all eight parts are in `first`; with it, what is left out is zeros.
  const zeros = address.includes('::') ? 8 - first.length - last.length : 0
  const parts = [...first, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...last]
  return `${parts.slice(0, 4).join(':')}::/64`
}
