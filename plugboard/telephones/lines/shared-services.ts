// Detects that two telephones serve one service. This is often a mistake: of two laptops with the same mount, each gets only
// every second request. Both get a remark in their `announced` message when the second one connects. The remark ends when one
// telephone remains. In a fleet, further telephones cause no messages to the others.
//
//   one telephone ──line of another one added──▶ shared ──last line of the others removed──▶ one telephone

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import { type Line, sameTelephone } from '../../registry/line.ts'
import type { TunnelId } from '../../registry/line-ids.ts'
import type { Registry } from '../../registry/registry.ts'

/** A tunnel of this replica, to which the remarks of its services are sent again. */
export interface RemarkedTunnel {
  remarksChanged(): void
}

/** Changes within this time become one message, ms. A telephone accepts ten messages in a second. */
const COLLECT_MS = 500
/** Longest telephone name in a remark, in characters. */
const MAX_NAME = 100

export class SharedServices {
  readonly #registry: Registry
  readonly #clock: Clock
  readonly #tunnelOf: (tunnelId: TunnelId) => RemarkedTunnel | undefined
  readonly #changed = new Set<TunnelId>()
  readonly #unsubscribe: () => void
  #timer: Timer | undefined

  constructor(
    registry: Registry,
    clock: Clock,
    tunnelOf: (tunnelId: TunnelId) => RemarkedTunnel | undefined,
  ) {
    this.#registry = registry
    this.#clock = clock
    this.#tunnelOf = tunnelOf
    this.#unsubscribe = registry.subscribe({
      lineAdded: line => this.#review(line),
      lineRemoved: line => this.#review(line),
    })
  }

  close(): void {
    this.#timer?.cancel()
    this.#unsubscribe()
  }

  /** Returns the remark for the owner of the line, or undefined while no other telephone serves the service. */
  remarkFor(own: Line): string | undefined {
    for (const line of this.#registry.linesOf(own.service)) {
      if (sameTelephone(line, own)) continue
      return `Also served by telephone "${cutText(line.telephone, MAX_NAME)}": each gets a part of the requests.`
    }
    return undefined
  }

  /**
   * Schedules new remarks after a line was added or removed. Remarks change only when exactly one other telephone has lines
   * of the service. The search ends at the first line of a second other telephone, so it is short for a fleet of any size.
   */
  #review(changed: Line): void {
    const tunnelIds: TunnelId[] = []
    let other: Line | undefined
    for (const line of this.#registry.linesOf(changed.service)) {
      if (line.id === changed.id) continue
      other ??= line
      if (!sameTelephone(line, other)) return
      tunnelIds.push(line.tunnelId)
    }
    if (other === undefined || sameTelephone(other, changed)) return
    for (const id of tunnelIds) this.#changed.add(id)
    this.#timer ??= this.#clock.after(COLLECT_MS, () => this.#notify())
  }

  #notify(): void {
    this.#timer = undefined
    const tunnelIds = [...this.#changed]
    this.#changed.clear()
    for (const id of tunnelIds) this.#tunnelOf(id)?.remarksChanged()
  }
}
