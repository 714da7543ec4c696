// One other replica with all links to it: the link that we dialled and the links that it dialled. Peer opens streams to all lines
// of that replica, accepts the streams that it forwards to our lines, and maintains the exchanges with it: registry, shared limits and live data.
//
//   no link ──dialled or accepted, hello──▶ linked ──last session closed──▶ no link     a newer incarnation starts over

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { LabelledCounts } from '@vera-stack/shared/metrics/labelled-counts.ts'
import type { ControlMessage, ReplicaReport } from '@vera-stack/shared/protocol/control/control.ts'
import { type Identity, Session, type SessionLimits } from '@vera-stack/shared/protocol/session.ts'
import { EchoStream } from '@vera-stack/shared/protocol/streams/echo-stream.ts'
import type { HeldBytes } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import { REFUSED_STREAM } from '@vera-stack/shared/protocol/streams/refused-stream.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ReplicaId } from '../common/ids/replica-id.ts'
import type { SharedBudgets } from '../limits/sharing/shared-budgets.ts'
import type { ObserveHub } from '../observe/stream/observe-hub.ts'
import { type Incarnation, isNewerIncarnation } from '../registry/incarnation.ts'
import type { LineId } from '../registry/line-ids.ts'
import type { RegistryFollower } from '../registry/sync/registry-follower.ts'
import type { RegistryOwner } from '../registry/sync/registry-owner.ts'
import type { TunnelCounts } from '../registry/tunnel-counts.ts'
import type { ChannelPeer } from './channels/message-channel.ts'
import { ObserveChannel, type ObserveState } from './channels/observe-channel.ts'
import { RegistryChannel } from './channels/registry-channel.ts'
import { ShareChannel, type ShareState } from './channels/share-channel.ts'
import type { PeerIdentity } from './link/peer-tokens.ts'
import { QueryError, QueryResponder, type RespondToQuery, sendQuery } from './queries/peer-queries.ts'
import { TunnelCountSync } from './rebalancing/tunnel-count-sync.ts'
import { type OpenLocal, relayStream } from './stream-relay.ts'

/** The parts that all peers of a replica share. */
export interface PeerHost {
  readonly self: PeerIdentity
  readonly identity: Identity
  readonly limits: Partial<SessionLimits>
  readonly owner: RegistryOwner
  readonly follower: RegistryFollower
  readonly tunnelCounts: TunnelCounts
  readonly sharedBudgets: SharedBudgets | undefined
  /** Counts the streams that were sent to each replica. */
  readonly forwarded: LabelledCounts
  readonly observeHub: ObserveHub | undefined
  readonly openLocal: OpenLocal
  readonly respondToQuery: RespondToQuery
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Returns the current state of this replica. */
  report(): Omit<ReplicaReport, 'type'>
  /** Called when a link or a report has changed. */
  changed(): void
}

/** A peer whose hello has this feature accepts the id of a line in place of the service of a stream (PROTOCOL.md). */
export const LINES_FEATURE = 'lines'
/** Time that received bytes renew the lease of a peer, ms. */
export const LEASE_MS = 3000
/** Interval between checks for received bytes, ms. The bytes may have arrived right after the previous check. */
export const LIVENESS_MS = 500

interface Link {
  readonly session: Session
  readonly transport: Transport
  readonly role: 'dialer' | 'acceptor'
  readonly incarnation: Incarnation
  checkedBytes: number
}

export class Peer {
  readonly id: ReplicaId
  readonly #host: PeerHost
  readonly #log: Logger
  readonly #links = new Set<Link>()
  readonly #tunnelCounts: TunnelCountSync
  readonly #queries: QueryResponder
  #incarnation: Incarnation | undefined
  #dialed: Link | undefined
  #report: ReplicaReport | undefined
  readonly #channel: RegistryChannel
  /** Undefined: this replica shares no limits. */
  readonly #share: ShareChannel | undefined
  /** Undefined: this replica has no live data. */
  readonly #observe: ObserveChannel | undefined
  #draining = false

  constructor(id: ReplicaId, host: PeerHost) {
    this.id = id
    this.#host = host
    this.#log = host.log.child({ peerId: id })
    this.#tunnelCounts = new TunnelCountSync(host.tunnelCounts, id)
    const { owner, follower, sharedBudgets, observeHub } = host
    const [peer, log] = [this.#channelPeer(), this.#log]
    this.#channel = new RegistryChannel({ peer, owner, follower, log, onAgree: () => host.changed() })
    if (sharedBudgets !== undefined) this.#share = new ShareChannel({ peer, budgets: sharedBudgets, log })
    if (observeHub !== undefined) this.#observe = new ObserveChannel({ peer, hub: observeHub, log })
    this.#queries = new QueryResponder(host.respondToQuery, (query, error) =>
      this.#log.error('a query of another replica failed', { detail: query, err: error }),
    )
  }

  // State

  get incarnation(): Incarnation | undefined {
    return this.#incarnation
  }

  /** The last report of the replica; undefined before the first one, and without a link. */
  get report(): ReplicaReport | undefined {
    return this.#report
  }

  get linked(): boolean {
    return this.#way !== undefined
  }

  /** True when the link that we dialled is open. */
  get dialed(): boolean {
    return this.#dialed?.session.state === 'open'
  }

  get idle(): boolean {
    return this.#links.size === 0
  }

  get rttMs(): number | undefined {
    return this.#way?.rttMs
  }

  /** True when we have all its lines and it has all of ours, according to the exchange. */
  get inSync(): boolean {
    return this.#channel.inSync
  }

  /** Number of messages of the current exchange that were malformed or inconsistent. A number above 0 is a bug on one end. */
  get faultyMessages(): number {
    return this.#channel.faultyMessages
  }

  /** The state of the exchange of shared limits; undefined: this replica shares no limits. */
  get shareState(): ShareState | undefined {
    return this.#share?.state
  }

  /** Time since the last message of the exchange of shared limits, ms; undefined: there was none on the present stream. */
  get shareAgeMs(): number | undefined {
    return this.#share?.ageMs
  }

  /** The state of the exchange of live data; undefined: this replica has none. */
  get observeState(): ObserveState | undefined {
    return this.#observe?.state
  }

  /** True when we have all its lines. */
  get hasLines(): boolean {
    return this.#channel.agrees
  }

  /**
   * Returns true when a newer incarnation of the replica is alive. A dead incarnation does not count: clocks may be set back.
   */
  outranks(incarnation: Incarnation): boolean {
    const known = this.#incarnation
    if (known === undefined || !isNewerIncarnation(known, incarnation)) return false
    for (const link of this.#links)
      if (link.incarnation === known && link.session.state === 'open') return true
    return this.#host.follower.hasLease(this.id, known)
  }

  get reachable(): boolean {
    for (const { session } of this.#links) if (session.reachable) return true
    return false
  }

  get canOpen(): boolean {
    return this.#way?.canOpen ?? false
  }

  /** False when the client holds its share of the streams of the link. */
  hasRoomFor(client: string): boolean {
    return this.#way?.hasRoomFor(client) ?? true
  }

  get streamCount(): number {
    let count = 0
    for (const { session } of this.#links) count += session.streamCount
    return count
  }

  /**
   * Opens a stream to the replica. `lineId` is the picked line. `held` is the account for its bytes, which belongs to the line's
   * telephone: a link carries the streams of many telephones and has no budget of its own.
   */
  open(opening: Opening, events: StreamEvents, end: boolean, lineId: LineId, held?: HeldBytes): Stream {
    const way = this.#way
    if (way === undefined) throw new TunnelError('refused', { detail: 'no link to the replica' })
    const service = way.peer?.features.includes(LINES_FEATURE) ? lineId : opening.service
    const stream = way.open({ ...opening, service, hops: opening.hops + 1 }, events, end, held)
    this.#host.forwarded.add(this.id)
    return stream
  }

  /** Sends a query to the replica. Rejects with QueryError. */
  query(name: string, params: object): Promise<unknown> {
    const way = this.#way
    if (way === undefined) return Promise.reject(new QueryError('there is no link to it'))
    return sendQuery(way, name, params, this.#host.clock)
  }

  // Links

  /** Starts a session on a connection whose far end was authenticated as this incarnation of the replica. */
  join(
    incarnation: Incarnation,
    transport: Transport,
    role: Link['role'],
    onClose?: (error: TunnelError) => void,
  ): Session {
    const { clock, identity, limits } = this.#host
    let link: Link | undefined
    const session: Session = new Session({
      transport,
      role,
      identity,
      limits,
      clock,
      events: {
        onReady: hello => {
          if (hello.name === this.id && hello.instance === incarnation)
            this.#opened(link as Link, incarnation)
          else session.close('unauthorized', 'the hello is not from the replica that the token names')
        },
        onStream: (stream, opening) => this.#streamArrived(stream, opening),
        onControl: message => this.#controlArrived(message, incarnation),
        onPeerDrain: () => this.#host.changed(),
        onClose: error => {
          this.#closed(link as Link, error)
          onClose?.(error)
        },
      },
    })
    link = { session, transport, role, incarnation, checkedBytes: 0 }
    this.#links.add(link)
    return session
  }

  /** Runs every `LIVENESS_MS`: renews the lease when bytes were received, and sends changed counts of tunnels. */
  tick(): void {
    this.#tunnelCounts.flush(this.#way)
    const { clock, follower } = this.#host
    let alive = false
    for (const link of this.#links) {
      if (link.session.state !== 'open') continue
      if (link.transport.receivedBytes !== link.checkedBytes) alive = true
      link.checkedBytes = link.transport.receivedBytes
    }
    if (!alive || this.#incarnation === undefined) return
    follower.renewLease(this.id, this.#incarnation, clock.now() + LEASE_MS - LIVENESS_MS)
  }

  /** Opens the exchange of live data, because a viewer of this replica needs it. */
  openObserve(): void {
    this.#observe?.open()
  }

  /** Probes all links. Until a link's peer responds, the link counts as unreachable. */
  probe(onConfirmed: () => void): void {
    for (const { session } of this.#links) session.probe(onConfirmed)
  }

  /** Sends our report to the replica. */
  sendReport(): void {
    const message = { type: 'replica', ...this.#host.report() } as const
    for (const { session } of this.#links) if (session.state === 'open') session.sendControl(message)
  }

  /** Drains all links: forwarded streams have `graceMs` to finish. Stops the exchanges, which would never end by themselves. */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true
    this.#channel.stop()
    this.#share?.stop()
    // The last requests of this replica still wait for their viewers. The peer ends the stream when it has them.
    this.#observe?.finish()
    await Promise.all([...this.#links].map(({ session }) => session.drain(graceMs)))
  }

  /** Call when the peer has no links and gets no further one. */
  close(): void {
    this.#tunnelCounts.close()
  }

  get #way(): Session | undefined {
    const dialed = this.#dialed?.session
    if (dialed?.canOpen && dialed.reachable) return dialed
    let unverified: Session | undefined
    for (const { session } of this.#links) {
      if (!session.canOpen) continue
      if (session.reachable) return session
      unverified ??= session
    }
    return unverified
  }

  #channelPeer(): ChannelPeer {
    const { self, clock, random } = this.#host
    return {
      peerId: this.id,
      selfId: self.id,
      clock,
      random,
      link: () => this.#way,
      incarnation: () => (this.#draining ? undefined : this.#incarnation),
      wanted: () => this.#links.size > 0 && !this.#draining,
    }
  }

  #stopChannels(): void {
    this.#channel.stop()
    this.#share?.stop()
    this.#observe?.stop()
  }

  #opened(link: Link, incarnation: Incarnation): void {
    if (this.#incarnation !== undefined && this.#incarnation !== incarnation) {
      if (this.outranks(incarnation)) {
        link.session.close('replaced', 'a newer start of this replica is running')
        return
      }
      this.#startOver(link)
    }
    this.#incarnation = incarnation
    if (link.role === 'dialer') this.#dialed = link
    const { clock, follower, log } = this.#host
    link.checkedBytes = link.transport.receivedBytes
    follower.renewLease(this.id, incarnation, clock.now() + LEASE_MS)
    log.info('link open', { peerId: this.id, state: link.role })
    link.session.sendControl({ type: 'replica', ...this.#host.report() })
    this.#tunnelCounts.flush(link.session)
    this.#channel.open()
    this.#share?.open()
    this.#observe?.open()
    this.#host.changed()
  }

  /** Drops the state and closes the links of the previous incarnation after a restart of the replica. */
  #startOver(newcomer: Link): void {
    this.#stopChannels()
    this.#tunnelCounts.forget()
    this.#report = undefined
    for (const link of [...this.#links]) {
      if (link !== newcomer) link.session.close('replaced', 'a newer start of this replica has connected')
    }
  }

  #closed(link: Link, error: TunnelError): void {
    this.#links.delete(link)
    if (this.#dialed === link) this.#dialed = undefined
    if (this.#links.size === 0) {
      // The replica closed the link in order while leaving, so its lines end now and not with their lease.
      const polite = error.reason === 'going_away' && this.#report?.state === 'leaving'
      if (polite && this.#incarnation !== undefined) this.#host.follower.endLease(this.id, this.#incarnation)
      this.#report = undefined
      this.#tunnelCounts.forget()
      this.#stopChannels()
    }
    this.#log.info('link closed', { state: link.role, code: error.reason, detail: error.message })
    this.#host.changed()
  }

  #controlArrived(message: ControlMessage, incarnation: Incarnation): void {
    if (message.type === 'tunnels' && incarnation === this.#incarnation) this.#tunnelCounts.receive(message)
    if (message.type !== 'replica') return
    const changed = this.#report?.state !== message.state || this.#report.publicUrl !== message.publicUrl
    this.#report = message
    if (changed) this.#host.changed()
  }

  #streamArrived(stream: Stream, opening: Opening): StreamEvents {
    switch (opening.kind) {
      case 'http':
      case 'upgrade':
        if (opening.hops === 1) return relayStream(stream, opening, this.#host.openLocal)
        stream.reset('refused', 'a forwarded stream cannot be forwarded again')
        return REFUSED_STREAM
      case 'registry':
        return this.#channel.accept(stream)
      case 'share':
        if (this.#share !== undefined) return this.#share.accept(stream)
        stream.reset('unknown_kind')
        return REFUSED_STREAM
      case 'observe':
        if (this.#observe !== undefined) return this.#observe.accept(stream)
        stream.reset('unknown_kind')
        return REFUSED_STREAM
      case 'query':
        return this.#queries.accept(stream, opening)
      case 'echo':
        return new EchoStream(stream)
    }
  }
}
