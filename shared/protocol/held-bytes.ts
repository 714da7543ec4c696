// Counts the bytes that this process holds for remote parties, and keeps the count within budgets. A session has an
// account; so has the principal that the session belongs to (a token), and the process. A stream charges what it holds
// to the account of its session, which passes the charge on to the account above.
//
//   process ◄── principal ◄── session ◄── stream
//
// Above its budget an account refuses new streams, and resets the streams that hold most. Above twice its budget it
// ends the sessions that hold most. An account links only holders that hold bytes, so an idle stream costs nothing here.
// PROTOCOL.md, "Bytes held", is the specification. Independent of frames and sockets.

import { TunnelError } from './reason.ts'

/** Something that an account counts: a stream in the account of its session, an account in the one above it. */
export interface Holder {
  /** Written by the account. */
  heldBytes: number
  /** Links of the account's list. Written by the account. */
  nextHolder: Holder | undefined
  previousHolder: Holder | undefined
  /** Adds the streams at or below this holder that hold bytes. */
  collectStreams(streams: HeldStream[]): void
  /** Adds the accounts at or below this holder that belong to a session. */
  collectSessions(accounts: HeldBytes[]): void
}

/** A stream that holds bytes. */
export interface HeldStream extends Holder {
  /** Ends the stream and gives up its bytes. Does not throw. */
  evict(error: TunnelError): void
}

/** What an account did to get back within its budget. */
export interface Overrun {
  /** When it was noticed. */
  readonly heldBytes: number
  readonly budgetBytes: number
  readonly evictedStreams: number
  readonly endedSessions: number
}

export interface HeldBytesOptions {
  readonly budgetBytes: number
  /** The account above this one. */
  readonly parent?: HeldBytes | undefined
  readonly onOverrun?: ((overrun: Overrun) => void) | undefined
}

/** Share of a budget that an eviction frees below it: the next byte must not cause the next eviction. */
const FREED_SHARE = 1 / 16

export class HeldBytes implements Holder {
  readonly budgetBytes: number
  heldBytes = 0
  nextHolder: Holder | undefined
  previousHolder: Holder | undefined
  readonly #parent: HeldBytes | undefined
  readonly #onOverrun: ((overrun: Overrun) => void) | undefined
  #first: Holder | undefined
  #endSession: ((error: TunnelError) => void) | undefined
  #scheduled = false

  constructor({ budgetBytes, parent, onOverrun }: HeldBytesOptions) {
    this.budgetBytes = budgetBytes
    this.#parent = parent
    this.#onOverrun = onOverrun
  }

  /** True when this account, or one above it, is over its budget: no new streams. */
  get full(): boolean {
    return this.heldBytes > this.budgetBytes || this.#parent?.full === true
  }

  /** Makes this the account of a session. `end` closes the session. It must not throw. */
  attachSession(end: (error: TunnelError) => void): void {
    this.#endSession = end
  }

  /** Notes that `holder` holds `bytes` more, or fewer when negative. */
  charge(holder: Holder, bytes: number): void {
    const before = holder.heldBytes
    holder.heldBytes = before + bytes
    if (before === 0) this.#link(holder)
    else if (holder.heldBytes === 0) this.#unlink(holder)
    this.add(bytes)
  }

  /** Notes that the account itself holds `bytes` more, or fewer: bytes that belong to no stream. */
  add(bytes: number): void {
    if (this.#parent === undefined) this.heldBytes += bytes
    else this.#parent.charge(this, bytes)
    if (bytes > 0 && this.heldBytes > this.budgetBytes) this.#schedule()
  }

  /** Brings this account and those above it back within their budgets, now rather than at the end of the turn. */
  enforce(): void {
    if (this.heldBytes > this.budgetBytes) this.#reduce()
    this.#parent?.enforce()
  }

  collectStreams(streams: HeldStream[]): void {
    for (let holder = this.#first; holder !== undefined; holder = holder.nextHolder) {
      holder.collectStreams(streams)
    }
  }

  collectSessions(accounts: HeldBytes[]): void {
    if (this.#endSession !== undefined) accounts.push(this)
    else {
      for (let holder = this.#first; holder !== undefined; holder = holder.nextHolder) {
        holder.collectSessions(accounts)
      }
    }
  }

  /** In a microtask: a charge comes from within a call of a stream's owner, which must not meet its own eviction. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.enforce()
    })
  }

  #reduce(): void {
    const { heldBytes, budgetBytes } = this
    const endedSessions = heldBytes > 2 * budgetBytes ? this.#endSessions() : 0
    const evictedStreams = this.heldBytes > budgetBytes ? this.#evict(budgetBytes * (1 - FREED_SHARE)) : 0
    if (endedSessions + evictedStreams === 0) return
    this.#onOverrun?.({ heldBytes, budgetBytes, evictedStreams, endedSessions })
  }

  /** Ends the sessions that hold most, until the rest is within the budget. Returns how many. */
  #endSessions(): number {
    const accounts: HeldBytes[] = []
    this.collectSessions(accounts)
    let ended = 0
    for (const account of mostFirst(accounts)) {
      if (this.heldBytes <= this.budgetBytes) break
      account.#end(new TunnelError('overloaded', { detail: this.#detail('twice') }))
      ended += 1
    }
    return ended
  }

  #end(error: TunnelError): void {
    this.#endSession?.(error)
    // Streams that had ended already are no longer the session's to abort. Their owners still hold bytes.
    const streams: HeldStream[] = []
    this.collectStreams(streams)
    for (const stream of streams) stream.evict(error)
  }

  /** Resets the streams that hold most, until `targetBytes` are left. Returns how many. */
  #evict(targetBytes: number): number {
    const streams: HeldStream[] = []
    this.collectStreams(streams)
    let evicted = 0
    for (const stream of mostFirst(streams)) {
      if (this.heldBytes <= targetBytes) break
      // The end of another stream may have freed this one: the two halves of a relay end together.
      if (stream.heldBytes === 0) continue
      stream.evict(new TunnelError('over_budget', { detail: this.#detail('more than') }))
      evicted += 1
    }
    return evicted
  }

  #detail(excess: 'more than' | 'twice'): string {
    return `${excess} the budget of ${this.budgetBytes} held bytes`
  }

  #link(holder: Holder): void {
    const first = this.#first
    holder.nextHolder = first
    if (first !== undefined) first.previousHolder = holder
    this.#first = holder
  }

  #unlink(holder: Holder): void {
    const { nextHolder, previousHolder } = holder
    if (nextHolder !== undefined) nextHolder.previousHolder = previousHolder
    if (previousHolder !== undefined) previousHolder.nextHolder = nextHolder
    else this.#first = nextHolder
    holder.nextHolder = undefined
    holder.previousHolder = undefined
  }
}

function mostFirst<Counted extends Holder>(holders: Counted[]): Counted[] {
  return holders.sort((left, right) => right.heldBytes - left.heldBytes)
}
