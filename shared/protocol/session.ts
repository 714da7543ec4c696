// The multiplexer on one tunnel: carries streams in both directions over a transport's messages. Greets,
// agrees on a version, watches that the peer is alive, gives streams their turns, drains and closes.
// Knows nothing of sockets, tokens, routes or HTTP. Over 500 lines because each part of it reads or ends the one state
// below; what has a state of its own stands beside it (mux-stream.ts, stream-table.ts, turns.ts, outbox.ts, ping-clock.ts).
//
//   opening ──hello──▶ open ──(drain, either side)──▶ open, no new streams ──last stream──▶ closed
//      └────────────── bad frame, silence, close, transport gone ──────────────────────────▶ closed

import { ClientShares } from '../client-shares.ts'
import { type Clock, systemClock, type Timer } from '../clock.ts'
import { AFFINITY_FEATURE, takeAffinityField, withAffinityField } from './affinity.ts'
import { type ControlMessage, type Hello, parseControl } from './control/control.ts'
import { ControlBudget } from './control/control-budget.ts'
import { DEFAULT_LIMITS, MESSAGE_MAX_BYTES, type SessionLimits } from './limits.ts'
import { HeadTooLargeError, Outbox } from './outbox.ts'
import { PingClock } from './ping-clock.ts'
import type { HeldBytes } from './streams/held-bytes.ts'
import { MuxStream, type StreamHost } from './streams/mux-stream.ts'
import { GrowthBudget, ReceiveWindow } from './streams/receive-window.ts'
import type { Opening, Stream, StreamEvents } from './streams/stream.ts'
import { StreamTable } from './streams/stream-table.ts'
import type { Transport } from './transport.ts'
import { Turns } from './turns.ts'
import { decodeMessage, FrameError, type FrameSink } from './wire/decode.ts'
import { FRAME_HEADER_BYTES, UNACCEPTED_BYTES } from './wire/frame.ts'
import { REASONS, type Reason, reasonOfCode, TunnelError } from './wire/reason.ts'
import { CAUSE_FEATURE, readCause } from './wire/reset-cause.ts'
import { streamKindOfNumber } from './wire/stream-kind.ts'
import { agreeOnVersion, PROTOCOL_VERSIONS } from './wire/version.ts'

export type { SessionLimits } from './limits.ts'

/** In our hello: credit for 64 KiB shows that a stream is taken (P28). */
const ACCEPTANCE_FEATURE = 'acceptance'
/** In our hello: an OPEN to us may state the client of its stream (P33). */
const CLIENT_FEATURE = 'client'

/** Who we are, as our hello says it. Versions and limits are the session's own to add. */
export type Identity = Pick<Hello, 'agent' | 'instance' | 'name' | 'startedAt'> & {
  readonly features?: string[]
  /** Inclusive range; for tests of version negotiation. */
  readonly versions?: readonly [number, number]
}

export interface SessionEvents {
  /** The peer's hello has come and a version is agreed: streams may be opened. */
  onReady(peer: Hello, version: number): void
  /** The peer opens a stream. Returns its events. To refuse, reset the stream here and return anything. */
  onStream(stream: Stream, opening: Opening): StreamEvents
  /** A control message that is not the session's own (all but hello, drain and drained). */
  onControl(message: ControlMessage): void
  /** The peer drains: open no new streams here (`open` would throw). */
  onPeerDrain(graceMs: number): void
  /** The end, exactly once, when the transport is closed too; every stream has had its `onAbort` before. */
  onClose(error: TunnelError): void
}

export interface SessionOptions {
  readonly transport: Transport
  /** The dialer opens odd stream ids, the acceptor even ones. */
  readonly role: 'dialer' | 'acceptor'
  readonly identity: Identity
  readonly events: SessionEvents
  readonly limits?: Partial<SessionLimits>
  readonly clock?: Clock
  /** Where the bytes that the session holds are counted, and bounded. Of this session alone. Absent: nowhere. */
  readonly held?: HeldBytes | undefined
}

/** Unsent bytes up to this are a batch on its way, and are not counted as held. */
const UNCOUNTED_UNSENT_BYTES = 65_536

export class Session {
  readonly #transport: Transport
  readonly #events: SessionEvents
  readonly #limits: SessionLimits
  readonly #clock: Clock
  readonly #outbox: Outbox
  readonly #controls: ControlBudget
  readonly #growth: GrowthBudget
  readonly #host: StreamHost
  readonly #pings: PingClock
  readonly #streams = new StreamTable<MuxStream>()
  readonly #turns: Turns
  /** Of the streams that we have opened. */
  readonly #shares: ClientShares
  readonly #identity: Identity
  readonly #held: HeldBytes | undefined
  /** As they were charged last. */
  #unsentBytes = 0
  #unfinishedBytes = 0
  // Messages so far; how many there were, and how many bytes, when one was last seen to have come.
  #messages = 0
  #messagesSeen = 0
  #bytesSeen = 0
  #state: 'opening' | 'open' | 'closed' = 'opening'
  #peer: Hello | undefined
  /** From the hello of the peer, looked up once and not for each stream. */
  #peerShowsAcceptance = false
  #nextId: number
  #highestPeerId = 0
  #ownStreams = 0
  #draining = false
  #drainConfirmed = false
  #peerDraining = false
  #helloTimer: Timer | undefined
  #drainTimer: Timer | undefined
  #graceEndsMs = Number.POSITIVE_INFINITY
  #error: TunnelError | undefined
  /** What owners have thrown while they were told of the end. */
  readonly #thrown: unknown[] = []
  readonly #closed = Promise.withResolvers<void>()

  constructor(options: SessionOptions) {
    this.#transport = options.transport
    this.#events = options.events
    this.#identity = options.identity
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#clock = options.clock ?? systemClock
    this.#held = options.held
    this.#held?.attachSession(error => this.#fail(error))
    this.#nextId = options.role === 'dialer' ? 1 : 2
    this.#bytesSeen = this.#transport.receivedBytes
    const { controlBurst, controlPerSecond } = this.#limits
    this.#controls = new ControlBudget(controlBurst, controlPerSecond, this.#clock.now())
    this.#shares = new ClientShares(this.#limits.clientSharePercent, () => this.#clients())
    this.#growth = new GrowthBudget(this.#limits.windowGrowthBytes)
    this.#turns = new Turns(
      () => this.#congested,
      error => this.#fail(asTunnelError(error)),
    )
    this.#outbox = new Outbox(this.#transport, () => {
      if (this.#unsentBytes !== 0) this.#countUnsent(this.#outbox.unsentBytes)
      this.#turns.pump()
    })
    this.#pings = new PingClock({
      clock: this.#clock,
      intervalMs: this.#limits.pingIntervalMs,
      timeoutMs: this.#limits.pingTimeoutMs,
      receivedBytes: () => this.#transport.receivedBytes,
      ping: opaque => this.#outbox.ping(opaque),
      onDead: () => this.#fail(new TunnelError('ping_timeout')),
      onTick: receivedBytes => this.#countUnfinished(receivedBytes),
    })
    this.#host = this.#streamHost()
    this.#awaitHello(this.#limits.helloTimeoutMs)
    this.#transport.start({
      onMessage: message => this.#messageArrived(message),
      onClose: end => this.#transportClosed(end.clean, end.detail),
    })
    this.#outbox.control(JSON.stringify(this.#hello()))
  }

  /** `opening` until the peer's hello; then `open`; `closed` at the end. */
  get state(): 'opening' | 'open' | 'closed' {
    return this.#state
  }

  /** What the peer said of itself; undefined while opening. */
  get peer(): Hello | undefined {
    return this.#peer
  }

  /** True when `open` would not throw. */
  get canOpen(): boolean {
    return (
      this.#state === 'open' &&
      !this.#draining &&
      !this.#peerDraining &&
      this.#ownStreams < (this.#peer as Hello).maxStreams &&
      this.#held?.full !== true
    )
  }

  /** False when the client holds its share of the streams that the peer takes: `open` would throw for it. */
  hasRoomFor(client: string): boolean {
    return this.#shares.allows(client, this.#peer?.maxStreams ?? 0)
  }

  /** False: not open, or so by our word alone (`probe`). */
  get reachable(): boolean {
    return this.#state === 'open' && !this.#pings.probing
  }

  /** Streams open now, both directions. */
  get streamCount(): number {
    return this.#streams.size
  }

  /** Smoothed round trip, ms; undefined before the first pong. */
  get rttMs(): number | undefined {
    return this.#pings.rttMs
  }

  /**
   * For an owner that was away, and may not have heard of the end: not `reachable` until the peer has shown that it is
   * still there; then calls `onProved`. No effect unless open.
   */
  probe(onProved: () => void): void {
    if (this.#state === 'open') this.#pings.probe(onProved)
  }

  /**
   * Opens a stream. `end`: our half is complete with the head. `held`: where its bytes are counted, if not with those of
   * the session.
   * Throws TunnelError: `draining`, `overloaded` (the peer's stream limit, the budget of held bytes, or a peer that does
   * not read), `client_share` (the client's share of the streams), `session_lost`, or `payload_too_large` (the head does
   * not fit in the peer's frames). Throws HeadTextError when a string cannot be sent.
   */
  open(opening: Opening, events: StreamEvents, end: boolean, held = this.#held): Stream {
    const unsentBytes = this.#checkUnsent()
    if (!this.canOpen || held?.full === true) throw this.#whyNotOpen()
    // Heads of requests wait for no turn. Many large ones must not end a session whose peer reads slowly.
    if (unsentBytes > this.#limits.sendHardLimitBytes / 2) throw new TunnelError('overloaded')
    const { client = '' } = opening
    if (!this.hasRoomFor(client)) throw new TunnelError('client_share')
    const id = this.#nextId
    let blockBytes: number
    try {
      blockBytes = this.#outbox.open(id, this.#sendable(opening), end)
    } catch (error) {
      if (error instanceof HeadTooLargeError) throw new TunnelError('payload_too_large', { cause: error })
      throw error
    }
    this.#nextId += 2
    this.#ownStreams += 1
    this.#shares.add(client)
    const stream = this.#newStream(id, opening.kind, client, true, end, held)
    stream.attach(events)
    // The opener keeps its head as long as the stream: the request may have to be repeated.
    stream.headHeld(blockBytes, opening.fields.length)
    // Ids are used up after two thousand million streams: the session makes way for a fresh one.
    if (this.#nextId > this.#limits.lastStreamId) void this.drain(this.#limits.exhaustedDrainMs)
    return stream
  }

  /**
   * Returns false, and sends nothing, when the message is larger than a frame that the peer accepts. A closed session
   * ignores the message. It does not throw, because timers and callbacks call it.
   */
  sendControl(message: ControlMessage): boolean {
    return this.#state === 'closed' || this.#outbox.control(JSON.stringify(message))
  }

  /**
   * Asks the peer for no new streams (they are refused once it has confirmed), waits until none is left, at
   * most `graceMs`, resets the rest with `going_away`, then closes. Resolves when the session is closed.
   * Called again, it can make the grace shorter, not longer.
   */
  drain(graceMs: number): Promise<void> {
    if (this.#state === 'opening') this.close('going_away', 'drained')
    if (this.#state === 'closed') return this.#closed.promise
    if (!this.#draining) {
      this.#draining = true
      // What is left of a longer grace is seldom whole; on the wire it is.
      const message: ControlMessage = { type: 'drain', graceMs: Math.ceil(graceMs) }
      this.#outbox.control(JSON.stringify(message))
    }
    const endsMs = this.#clock.now() + graceMs
    if (endsMs < this.#graceEndsMs) {
      this.#graceEndsMs = endsMs
      this.#drainTimer?.cancel()
      this.#drainTimer = this.#clock.after(graceMs, () => this.#graceOver())
    }
    return this.#closed.promise
  }

  /** Says goodbye with a reason, then closes. Streams abort with it. No effect on a closed session. */
  close(reason: Reason, detail = ''): void {
    this.#fail(new TunnelError(reason, { detail }))
  }

  // Arrivals

  readonly #sink: FrameSink = {
    onDataFrame: (id, body, end) => {
      const stream = this.#find(id)
      if (stream === undefined) return
      stream.dataArrived(body)
      if (end) stream.endArrived(undefined)
    },
    onOpenFrame: (id, kind, hops, block, body, end, blockBytes) =>
      this.#openArrived(id, kind, hops, block, body, end, blockBytes),
    onHeadFrame: (id, status, block, body, end, blockBytes) => {
      const stream = this.#find(id)
      if (stream === undefined) return
      const statusText = block.shift() as string
      stream.headArrived({ status, statusText, fields: block }, blockBytes)
      if (body !== undefined && stream.open) stream.dataArrived(body)
      if (end) stream.endArrived(undefined)
    },
    onTrailersFrame: (id, fields, blockBytes) => this.#find(id)?.endArrived(fields, blockBytes),
    onResetFrame: (id, code, detail) =>
      this.#find(id)?.abort(new TunnelError(reasonOfCode(code), { ...readCause(detail), remote: true })),
    onWindowFrame: (id, bytes) => this.#find(id)?.creditArrived(bytes),
    onPingFrame: opaque => {
      this.#needHello('PING')
      if (this.#state !== 'closed') this.#outbox.pong(opaque)
    },
    onPongFrame: opaque => {
      this.#needHello('PONG')
      this.#pings.pong(opaque)
    },
    onControlFrame: payload => this.#controlArrived(payload),
    onByeFrame: (code, detail) => {
      this.#needHello('BYE')
      if (this.#state === 'closed') return
      this.#end(new TunnelError(reasonOfCode(code), { detail, remote: true }))
      this.#outbox.close()
      this.#transport.close('bye')
    },
  }

  #messageArrived(message: Buffer): void {
    if (this.#state === 'closed') return
    this.#messages += 1
    try {
      decodeMessage(message, this.#limits.maxFrameBytes, this.#sink)
    } catch (error) {
      this.#fail(asTunnelError(error))
      return
    }
    this.#checkUnsent()
    if (this.#held?.full === true) this.#held.enforce()
  }

  /**
   * A peer that does not read must not cost memory without bound: whatever it makes us send is counted. Returns the unsent
   * bytes, because to add them up takes a look into the socket.
   */
  #checkUnsent(): number {
    const { unsentBytes } = this.#outbox
    this.#countUnsent(unsentBytes)
    if (unsentBytes > this.#limits.sendHardLimitBytes) {
      this.#fail(new TunnelError('overloaded', { detail: 'the peer does not read' }))
    }
    return unsentBytes
  }

  #countUnsent(unsentBytes: number): void {
    if (this.#held === undefined) return
    const counted = unsentBytes > UNCOUNTED_UNSENT_BYTES && this.#state !== 'closed' ? unsentBytes : 0
    if (counted === this.#unsentBytes) return
    this.#held.add(counted - this.#unsentBytes)
    this.#unsentBytes = counted
  }

  /** Bytes that came since the last message are part of the next one, and wait for its end. */
  #countUnfinished(receivedBytes: number): void {
    if (this.#held === undefined) return
    if (this.#messages !== this.#messagesSeen || this.#state === 'closed') {
      this.#messagesSeen = this.#messages
      this.#bytesSeen = receivedBytes
    }
    // A transport refuses a longer message. What has come beyond that is no message: pings of the WebSocket, say.
    const bytes = Math.min(receivedBytes - this.#bytesSeen, MESSAGE_MAX_BYTES)
    if (bytes === this.#unfinishedBytes) return
    this.#held.add(bytes - this.#unfinishedBytes)
    this.#unfinishedBytes = bytes
  }

  /** Ends the session when there is no hello within `leftMs`. Counts what has come of it: pings, which do so later, begin with it. */
  #awaitHello(leftMs: number): void {
    const stepMs = Math.min(leftMs, this.#limits.pingIntervalMs)
    this.#helloTimer = this.#clock.after(stepMs, () => {
      if (leftMs <= stepMs) {
        this.#fail(new TunnelError('protocol_error', { detail: 'no hello in time' }))
        return
      }
      this.#countUnfinished(this.#transport.receivedBytes)
      this.#awaitHello(leftMs - stepMs)
    })
  }

  #needHello(name: string): void {
    if (this.#peer === undefined) throw new FrameError(`${name} before hello`)
  }

  #openArrived(
    id: number,
    kindNumber: number,
    hops: number,
    block: string[],
    body: Buffer | undefined,
    end: boolean,
    blockBytes: number,
  ): void {
    if (this.#state === 'closed') return
    this.#needHello('OPEN')
    if (id % 2 === this.#nextId % 2 || id <= this.#highestPeerId) throw new FrameError(`OPEN of stream ${id}`)
    this.#highestPeerId = id
    const kind = streamKindOfNumber(kindNumber)
    const refusal = this.#refusal(kind)
    if (kind === undefined || refusal !== undefined) {
      this.#outbox.reset(id, REASONS[refusal ?? 'unknown_kind'].code, '')
      return
    }
    const [service, method, target] = block as OpenStrings
    // The first field of a client that is stated has no name, which no field of HTTP can be without.
    const stated = block[3] === ''
    const client = stated ? (block[4] as string) : ''
    const fields = block.slice(stated ? 5 : 3)
    const affinity = takeAffinityField(fields)
    const stream = this.#newStream(id, kind, client, false, end, this.#held)
    const opening = { kind, hops, service, method, target, fields, client, affinity }
    stream.attach(this.#events.onStream(stream, opening))
    stream.headHeld(blockBytes, fields.length)
    if (body !== undefined && stream.open) stream.dataArrived(body)
    if (end) stream.endArrived(undefined)
  }

  #refusal(kind: string | undefined): Reason | undefined {
    if (kind === undefined) return 'unknown_kind'
    if (this.#drainConfirmed || this.#peerDraining) return 'draining'
    if (this.#streams.size - this.#ownStreams >= this.#limits.maxStreams) return 'overloaded'
    if (this.#held?.full === true) return 'overloaded'
    return undefined
  }

  #controlArrived(payload: Buffer): void {
    if (this.#state === 'closed') return
    if (!this.#controls.take(this.#clock.now())) {
      this.#fail(new TunnelError('overloaded', { detail: 'too many control messages' }))
      return
    }
    const message = readControl(payload)
    if (this.#peer === undefined) {
      if (message?.type !== 'hello') throw new FrameError('the first message is not hello')
      this.#helloArrived(message)
      return
    }
    if (message === undefined) return
    switch (message.type) {
      case 'hello':
        throw new FrameError('a second hello')
      case 'drain':
        this.#peerDraining = true
        this.#outbox.control(JSON.stringify({ type: 'drained' } satisfies ControlMessage))
        this.#events.onPeerDrain(message.graceMs)
        return
      case 'drained':
        if (!this.#draining) throw new FrameError('drained without drain')
        this.#drainConfirmed = true
        this.#closeWhenDrained()
        return
      default:
        this.#events.onControl(message)
    }
  }

  #helloArrived(peer: Hello): void {
    const version = agreeOnVersion(this.#identity.versions ?? PROTOCOL_VERSIONS, peer.versions)
    if (version === undefined) {
      this.#fail(
        new TunnelError('unsupported_version', { detail: `the peer speaks ${peer.versions.join('-')}` }),
      )
      return
    }
    this.#helloTimer?.cancel()
    this.#helloTimer = undefined
    this.#peer = peer
    this.#state = 'open'
    this.#outbox.maxFrameBytes = Math.min(peer.maxFrameBytes, MESSAGE_MAX_BYTES - FRAME_HEADER_BYTES)
    this.#outbox.statesClient = peer.features.includes(CLIENT_FEATURE)
    this.#outbox.statesCause = peer.features.includes(CAUSE_FEATURE)
    this.#peerShowsAcceptance = peer.features.includes(ACCEPTANCE_FEATURE)
    this.#pings.start()
    this.#events.onReady(peer, version)
  }

  // The end

  #transportClosed(clean: boolean, detail: string): void {
    this.#end(
      new TunnelError('session_lost', { detail: detail || (clean ? 'closed without bye' : 'cut off') }),
    )
    try {
      this.#events.onClose(this.#finalError())
    } finally {
      this.#closed.resolve()
    }
  }

  /** The reason of the end; what owners have thrown on the way there is its cause. */
  #finalError(): TunnelError {
    const error = this.#error as TunnelError
    if (this.#thrown.length === 0) return error
    const { reason, detail, remote } = error
    const cause = this.#thrown.length === 1 ? this.#thrown[0] : new AggregateError(this.#thrown)
    return new TunnelError(reason, { detail, remote, cause })
  }

  /** Ends the session from this side: tells the peer why, as far as it still listens. */
  #fail(error: TunnelError): void {
    if (this.#state === 'closed') return
    this.#end(error)
    if (error.reason === 'ping_timeout') {
      this.#transport.terminate()
      return
    }
    this.#outbox.bye(REASONS[error.reason].code, error.detail)
    this.#outbox.close()
    this.#transport.close(error.reason)
  }

  #end(error: TunnelError): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#error = error
    this.#helloTimer?.cancel()
    this.#drainTimer?.cancel()
    this.#pings.stop()
    this.#turns.clear()
    this.#countUnsent(0)
    this.#countUnfinished(0)
    this.#abortAll(stream => stream.abort(error))
  }

  #graceOver(): void {
    // Not `draining`, which says that nothing was delivered: these were, and not all of them can be repeated.
    this.#abortAll(stream => stream.evict(new TunnelError('going_away', { detail: 'grace is over' })))
    this.close('going_away', 'grace is over')
  }

  #ownerFailed(error: unknown): void {
    if (this.#state === 'closed') this.#thrown.push(error)
    else this.#fail(asTunnelError(error))
  }

  /** An owner that throws keeps no other from being told. */
  #abortAll(abort: (stream: MuxStream) => void): void {
    for (const stream of this.#streams.all()) {
      try {
        abort(stream)
      } catch (error) {
        this.#thrown.push(error)
      }
    }
  }

  #closeWhenDrained(): void {
    if (this.#state === 'open' && this.#drainConfirmed && this.#streams.size === 0) {
      this.close('going_away', 'drained')
    }
  }

  // Streams and their turns

  #newStream(
    id: number,
    kind: Opening['kind'],
    client: string,
    opener: boolean,
    endsWithOpen: boolean,
    account: HeldBytes | undefined,
  ): MuxStream {
    const peer = this.#peer as Hello
    const stream = new MuxStream({
      id,
      kind,
      host: this.#host,
      opener,
      endsWithOpen,
      client,
      creditBytes: peer.initialWindowBytes,
      accepted: !opener || !this.#peerShowsAcceptance,
      window: new ReceiveWindow(this.#limits.initialWindowBytes, opener ? undefined : UNACCEPTED_BYTES),
      account,
    })
    this.#streams.add(stream)
    return stream
  }

  /** The stream of a frame; undefined when it is closed here already and the frame was on its way. */
  #find(id: number): MuxStream | undefined {
    const stream = this.#streams.get(id)
    if (stream !== undefined || this.#state === 'closed') return stream
    const wasOpened = id % 2 === this.#nextId % 2 ? id < this.#nextId : id <= this.#highestPeerId
    if (!wasOpened) throw new FrameError(`frame of stream ${id}, which was never opened`)
    return undefined
  }

  #streamHost(): StreamHost {
    const session = this
    return {
      outbox: this.#outbox,
      growth: this.#growth,
      maxWindowBytes: this.#limits.maxWindowBytes,
      get congested() {
        return session.#congested
      },
      get queued() {
        return session.#turns.queued
      },
      get pathRttMs() {
        return session.#pings.pathRttMs
      },
      now: () => this.#clock.now(),
      askTurn: stream => this.#turns.ask(stream),
      forget: stream => this.#forget(stream),
      fail: error => this.#ownerFailed(error),
    }
  }

  get #congested(): boolean {
    return this.#outbox.unsentBytes >= this.#limits.sendHighWaterBytes
  }

  #forget(stream: MuxStream): void {
    this.#streams.delete(stream.id)
    this.#turns.forget(stream)
    if (stream.id % 2 === this.#nextId % 2) {
      this.#ownStreams -= 1
      this.#shares.remove(stream.client)
    }
    if (this.#drainConfirmed) this.#closeWhenDrained()
  }

  #sendable(opening: Opening): Opening {
    const { affinity } = opening
    if (affinity === undefined || this.#peer?.features.includes(AFFINITY_FEATURE) !== true) return opening
    return withAffinityField(opening, affinity)
  }

  /** Of each stream that we have opened. */
  #clients(): string[] {
    const parity = this.#nextId % 2
    return this.#streams
      .all()
      .filter(({ id }) => id % 2 === parity)
      .map(({ client }) => client)
  }

  #whyNotOpen(): TunnelError {
    if (this.#state !== 'open')
      return this.#error ?? new TunnelError('session_lost', { detail: 'not open yet' })
    return new TunnelError(this.#draining || this.#peerDraining ? 'draining' : 'overloaded')
  }

  #hello(): Hello {
    const { agent, instance, name, startedAt, versions = PROTOCOL_VERSIONS } = this.#identity
    const { initialWindowBytes, maxStreams, maxFrameBytes } = this.#limits
    const range: [number, number] = [versions[0], versions[1]]
    const more = this.#identity.features ?? []
    const features = [ACCEPTANCE_FEATURE, AFFINITY_FEATURE, CLIENT_FEATURE, CAUSE_FEATURE, ...more]
    const own = { agent, instance, name, startedAt, features, initialWindowBytes, maxStreams, maxFrameBytes }
    return { type: 'hello', versions: range, ...own }
  }
}

/** The strings that a head block of OPEN begins with. */
type OpenStrings = [service: string, method: string, target: string, ...fields: string[]]

function readControl(payload: Buffer): ControlMessage | undefined {
  try {
    return parseControl(payload)
  } catch (error) {
    throw new FrameError(error instanceof Error ? error.message : 'malformed control message')
  }
}

/** What ends a session when handling a message or a turn has thrown: the peer's fault, or an owner's of ours. */
function asTunnelError(error: unknown): TunnelError {
  if (error instanceof FrameError)
    return new TunnelError(error.reason, { detail: error.message, cause: error })
  return new TunnelError('internal_error', { cause: error })
}
