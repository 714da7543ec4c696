// Counts the bytes that this process holds for remote parties, and keeps the count within budgets. A session has an
// account; so has the principal that the session belongs to (a token), and the process. A stream charges what it holds
// to the account of its session, which passes the charge on to the account above.
//
//   process ◄── principal ◄── session ◄── stream
//
// Above its budget an account refuses new streams, and resets streams: of the principals that hold most, of their
// clients that hold most, the streams that hold most. So a party that holds little never pays for one that holds much.
// Above twice its budget, and for bytes that belong to no stream, it ends the sessions that hold most. An account links
// only holders that hold bytes, so an idle stream costs nothing here. PROTOCOL.md, "Bytes held", is the specification.
// Independent of frames and sockets.

import { TunnelError } from '../wire/reason.ts'
import { fairLevel } from './fair-level.ts'

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
  /** The client that the stream is for; empty: not known. */
  readonly client: string
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
  /** True when the accounts below this one are those of principals, which share its budget. */
  readonly ofPrincipals?: boolean
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
    let endedSessions = heldBytes > 2 * budgetBytes ? this.#endSessions('twice') : 0
    const detail = this.#detail('more than')
    const evictedStreams =
      this.heldBytes > budgetBytes ? this.#evictTo(budgetBytes * (1 - FREED_SHARE), detail) : 0
    // What is left belongs to no stream. A session alone may hold so much for a while: the peer has yet to read it.
    if (this.#endSession === undefined) endedSessions += this.#endSessions('more than')
    if (endedSessions + evictedStreams === 0) return
    this.#onOverrun?.({ heldBytes, budgetBytes, evictedStreams, endedSessions })
  }

  /** Ends the sessions that hold most, until the rest is within the budget. Returns how many. */
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

  /** Of the principal that holds most, unless it has no session. Undefined when no session holds anything. */
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
    // No session any more: it is ended once.
    this.#endSession = undefined
    endSession?.(error)
    // Streams that had ended already are no longer the session's to abort. Their owners still hold bytes.
    for (const stream of this.#streams()) stream.evict(error)
  }

  /** Resets streams until `targetBytes` are left, as far as streams hold them. Returns how many. */
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
        // The end of another stream may have freed this one: the two halves of a relay end together.
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

  /** Of the principals. */
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
  /** Of all of them. */
  heldBytes: number
}

/** The client that holds most comes first. */
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
