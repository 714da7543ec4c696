// Counts the bytes that this process holds for remote parties, and keeps the count within budgets. Each session has an
// account, and so have its principal (a token) and the process. A stream charges its bytes to the account of its session,
// which passes the charge on to the account above.
//
//   process ◄── principal ◄── session ◄── stream
//
// An account over its budget refuses new streams, and resets streams. It selects the principals that hold most, then the
// clients of these principals that hold most, then their largest streams. So a party that holds little is never reset
// because of a party that holds much. Over twice its budget, and for bytes that belong to no stream, an account ends the
// sessions that hold most. An account links only holders that hold bytes, so an idle stream has no cost here.
// PROTOCOL.md, "Bytes held", is the specification. This file is independent of frames and sockets.

import { TunnelError } from '../wire/reason.ts'
import { fairLevel } from './fair-level.ts'

/** An entry of an account: a stream in the account of its session, or an account in its parent account. */
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
  /** The client of the stream; empty: unknown. */
  readonly client: string
  /** Ends the stream and releases its bytes. Does not throw. */
  evict(error: TunnelError): void
}

/** The actions of an account that returned to its budget. */
export interface Overrun {
  /** Held bytes at the start of the reduction. */
  readonly heldBytes: number
  readonly budgetBytes: number
  readonly evictedStreams: number
  readonly endedSessions: number
}

export interface HeldBytesOptions {
  readonly budgetBytes: number
  /** The account above this one. */
  readonly parent?: HeldBytes | undefined
  /** True when the accounts below this one belong to principals, which share its budget. */
  readonly ofPrincipals?: boolean
  readonly onOverrun?: ((overrun: Overrun) => void) | undefined
}

/** An eviction frees this share of the budget below the limit, so that the next byte does not cause another eviction. */
const FREED_SHARE = 1 / 16

export class HeldBytes implements Holder {
  readonly budgetBytes: number
  heldBytes = 0
  nextHolder: Holder | undefined
  previousHolder: Holder | undefined
  readonly #parent: HeldBytes | undefined
  readonly #ofPrincipals: boolean
  readonly #onOverrun: ((overrun: Overrun) => void) | undefined
  #first: Holder | undefined
  #endSession: ((error: TunnelError) => void) | undefined
  #scheduled = false

  constructor({ budgetBytes, parent, ofPrincipals = false, onOverrun }: HeldBytesOptions) {
    this.budgetBytes = budgetBytes
    this.#parent = parent
    this.#ofPrincipals = ofPrincipals
    this.#onOverrun = onOverrun
  }

  /** True when this account or an account above it is over its budget. Then no new streams are accepted. */
  get full(): boolean {
    return this.heldBytes > this.budgetBytes || this.#parent?.full === true
  }

  /** Makes this the account of a session. `end` closes the session and must not throw. */
  attachSession(end: (error: TunnelError) => void): void {
    this.#endSession = end
  }

  /** Adds `bytes` to the bytes of `holder`. A negative number subtracts. */
  charge(holder: Holder, bytes: number): void {
    const before = holder.heldBytes
    holder.heldBytes = before + bytes
    if (before === 0) this.#link(holder)
    else if (holder.heldBytes === 0) this.#unlink(holder)
    this.add(bytes)
  }

  /** Adds `bytes` that belong to no stream to the account itself. A negative number subtracts. */
  add(bytes: number): void {
    if (this.#parent === undefined) this.heldBytes += bytes
    else this.#parent.charge(this, bytes)
    if (bytes > 0 && this.heldBytes > this.budgetBytes) this.#schedule()
  }

  /** Reduces this account and the accounts above it to their budgets at once, without waiting for the microtask. */
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

  /** Enforces the budgets in a microtask. A charge happens inside a call of a stream's owner; an eviction must not. */
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
    let endedSessions = heldBytes > 2 * budgetBytes ? this.#endSessions('twice') : 0
    const detail = this.#detail('more than')
    const evictedStreams =
      this.heldBytes > budgetBytes ? this.#evictTo(budgetBytes * (1 - FREED_SHARE), detail) : 0
    // The remaining bytes belong to no stream. A single session may hold them for a while, until its peer reads.
    if (this.#endSession === undefined) endedSessions += this.#endSessions('more than')
    if (endedSessions + evictedStreams === 0) return
    this.#onOverrun?.({ heldBytes, budgetBytes, evictedStreams, endedSessions })
  }

  /** Ends the sessions that hold most, until the account is within its budget. Returns the number of ended sessions. */
  #endSessions(excess: Excess): number {
    const error = new TunnelError('overloaded', { detail: this.#detail(excess) })
    let ended = 0
    while (this.heldBytes > this.budgetBytes) {
      const account = this.#largestSession()
      if (account === undefined) break
      account.#end(error)
      ended += 1
    }
    return ended
  }

  /** Returns the largest session of the largest principal with a session. Undefined when no session holds bytes. */
  #largestSession(): HeldBytes | undefined {
    for (const account of this.#ofPrincipals ? mostFirst(this.#accounts()) : [this]) {
      const sessions: HeldBytes[] = []
      account.collectSessions(sessions)
      const [largest] = mostFirst(sessions)
      if (largest !== undefined && largest.heldBytes > 0) return largest
    }
    return undefined
  }

  #end(error: TunnelError): void {
    const endSession = this.#endSession
    // Each session is ended only once.
    this.#endSession = undefined
    endSession?.(error)
    // The session does not abort streams that have ended before, but the owners of such streams may still hold bytes.
    for (const stream of this.#streams()) stream.evict(error)
  }

  /** Resets streams until `targetBytes` remain or no stream holds bytes. Returns the number of reset streams. */
  #evictTo(targetBytes: number, detail: string): number {
    if (this.heldBytes <= targetBytes) return 0
    return this.#ofPrincipals
      ? this.#evictOfPrincipals(targetBytes, detail)
      : this.#evictOfClients(targetBytes, detail)
  }

  #evictOfPrincipals(targetBytes: number, detail: string): number {
    const accounts = mostFirst(this.#accounts())
    const level = fairLevel(accounts.map(heldBytes), targetBytes)
    let evicted = 0
    for (const account of accounts) {
      if (this.heldBytes <= targetBytes) break
      evicted += account.#evictTo(level, detail)
    }
    return evicted
  }

  #evictOfClients(targetBytes: number, detail: string): number {
    const clients = byClient(this.#streams())
    let streamBytes = 0
    for (const { heldBytes } of clients) streamBytes += heldBytes
    const level = fairLevel(clients.map(heldBytes), targetBytes - (this.heldBytes - streamBytes))
    let evicted = 0
    for (const { streams, heldBytes } of clients) {
      let left = heldBytes
      for (const stream of mostFirst(streams)) {
        if (left <= level) break
        if (this.heldBytes <= targetBytes) return evicted
        const bytes = stream.heldBytes
        // The end of another stream may have released these bytes: the two streams of a relay end together.
        if (bytes === 0) continue
        left -= bytes
        stream.evict(new TunnelError('over_budget', { detail }))
        evicted += 1
      }
    }
    return evicted
  }

  #streams(): HeldStream[] {
    const streams: HeldStream[] = []
    this.collectStreams(streams)
    return streams
  }

  /** Returns the accounts of the principals. */
  #accounts(): HeldBytes[] {
    const accounts: HeldBytes[] = []
    for (let holder = this.#first; holder !== undefined; holder = holder.nextHolder) {
      if (holder instanceof HeldBytes) accounts.push(holder)
    }
    return accounts
  }

  #detail(excess: Excess): string {
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

type Excess = 'more than' | 'twice'

/** The streams of one client. */
interface ClientStreams {
  readonly streams: HeldStream[]
  /** Bytes of all these streams. */
  heldBytes: number
}

/** Groups the streams by client. Returns the client that holds most first. */
function byClient(streams: readonly HeldStream[]): ClientStreams[] {
  const clients = new Map<string, ClientStreams>()
  for (const stream of streams) {
    const client = clients.get(stream.client)
    if (client === undefined) {
      clients.set(stream.client, { streams: [stream], heldBytes: stream.heldBytes })
    } else {
      client.streams.push(stream)
      client.heldBytes += stream.heldBytes
    }
  }
  return mostFirst([...clients.values()])
}

function mostFirst<Counted extends { readonly heldBytes: number }>(holders: Counted[]): Counted[] {
  return holders.sort((left, right) => right.heldBytes - left.heldBytes)
}

function heldBytes(holder: { readonly heldBytes: number }): number {
  return holder.heldBytes
}
