// Sends one other replica the number of tunnels that each holder of a token has on this replica, and receives its numbers. It
// uses one link at a time: first for all counts, then for changed counts. A replica of an older version ignores these messages.
//
//   no link ──flush──▶ all counts, the first message with `reset` ──flush──▶ changed counts     another link starts over

import type { TunnelCountReport } from '@vera-stack/shared/protocol/control/control.ts'
import { MAX_TUNNEL_COUNTS } from '@vera-stack/shared/protocol/control/control-schema.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { TunnelCounts } from '../../registry/tunnel-counts.ts'

type CountLink = Pick<Session, 'state' | 'sendControl'>

/** Most messages in one flush: far below the control messages that a peer accepts in a second (P26). */
const MESSAGES_PER_FLUSH = 3

export class TunnelCountSync {
  readonly #counts: TunnelCounts
  readonly #peerId: ReplicaId
  readonly #unsubscribe: () => void
  /** Holders whose count the peer does not have yet. */
  readonly #pending = new Set<string>()
  #link: CountLink | undefined
  #reset = false
  #received = 0

  constructor(counts: TunnelCounts, peerId: ReplicaId) {
    this.#counts = counts
    this.#peerId = peerId
    this.#unsubscribe = counts.subscribe(holder => {
      if (this.#link !== undefined) this.#pending.add(holder)
    })
  }

  /** Sends counts that the peer does not have yet. `link`: used only when the previous link is no longer open. */
  flush(link: CountLink | undefined): void {
    if (this.#link?.state !== 'open') this.#startOver(link)
    if (this.#link === undefined) return
    for (let messages = 0; messages < MESSAGES_PER_FLUSH; messages += 1) {
      if (!this.#reset && this.#pending.size === 0) return
      this.#link.sendControl(this.#nextReport())
    }
  }

  receive({ sequence, reset, counts }: TunnelCountReport): void {
    // A message of a link that has closed meanwhile may arrive after newer ones of the next link.
    if (sequence <= this.#received) return
    this.#received = sequence
    if (reset) this.#counts.forgetRemote(this.#peerId)
    for (const [holder, count] of counts) this.#counts.setRemote(this.#peerId, holder, count)
  }

  /** Drops the counts of the peer. Call when its last link has closed, or when the replica has restarted. */
  forget(): void {
    this.#received = 0
    this.#startOver(undefined)
    this.#counts.forgetRemote(this.#peerId)
  }

  close(): void {
    this.#unsubscribe()
    this.forget()
  }

  #startOver(link: CountLink | undefined): void {
    this.#pending.clear()
    this.#link = link?.state === 'open' ? link : undefined
    this.#reset = this.#link !== undefined
    if (this.#link === undefined) return
    for (const holder of this.#counts.ownHolders()) this.#pending.add(holder)
  }

  #nextReport(): TunnelCountReport {
    const counts: [string, number][] = []
    for (const holder of this.#pending) {
      if (counts.length === MAX_TUNNEL_COUNTS) break
      this.#pending.delete(holder)
      counts.push([holder, this.#counts.own(holder)])
    }
    const reset = this.#reset
    this.#reset = false
    return { type: 'tunnels', sequence: this.#counts.nextReportSequence(), reset, counts }
  }
}
