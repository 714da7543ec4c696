// The multiplexer of one tunnel: carries streams in both directions over the messages of a transport. Exchanges hellos,
// selects the version, checks that the peer is alive, schedules the streams, drains and closes. Independent of sockets,
// tokens, routes and HTTP. Over 500 lines, because all parts read or change the one state below. Parts with a state of
// their own are separate files (session-state.ts has the states and their transitions; mux-stream.ts, stream-table.ts,
// send-scheduler.ts, outbox.ts, ping-clock.ts).

import { ClientShares } from '../client-shares.ts'
import { type Clock, systemClock, type Timer } from '../clock.ts'
import { AFFINITY_FEATURE, takeAffinityField, withAffinityField } from './affinity.ts'
import { type ControlMessage, type Hello, parseControl } from './control/control.ts'
import { ControlBudget } from './control/control-budget.ts'
import { DEFAULT_LIMITS, MESSAGE_MAX_BYTES, type SessionLimits } from './limits.ts'
import { HeadTooLargeError, Outbox } from './outbox.ts'
import { PingClock } from './ping-clock.ts'
import { SendScheduler } from './send-scheduler.ts'
import {
  acceptsStreams,
  allowsTransition,
  isDrained,
  nextSessionState,
  phaseOf,
  type SessionPhase,
  type SessionState,
  type SessionTransition,
} from './session-state.ts'
import type { HeldBytes } from './streams/held-bytes.ts'
import { MuxStream, type StreamHost } from './streams/mux-stream.ts'
import { GrowthBudget, ReceiveWindow } from './streams/receive-window.ts'
import type { Opening, Stream, StreamEvents } from './streams/stream.ts'
import { StreamTable } from './streams/stream-table.ts'
import { TRACE_FEATURE, TRACES_FEATURE, takeTraceMark, withTraceMark } from './trace-mark.ts'
import type { Transport } from './transport.ts'
import { TIMING_FEATURE } from './wire/backend-time.ts'
import { decodeMessage, FrameError, type FrameSink } from './wire/decode.ts'
import { FRAME_HEADER_BYTES, UNACCEPTED_BYTES } from './wire/frame.ts'
import { REASONS, type Reason, reasonOfCode, TunnelError } from './wire/reason.ts'
import { CAUSE_FEATURE, readCause } from './wire/reset-cause.ts'
import { type StreamKind, streamKindOfNumber } from './wire/stream-kind.ts'
import { agreeOnVersion, PROTOCOL_VERSIONS } from './wire/version.ts'

export type { SessionLimits } from './limits.ts'

/** Feature in our hello: this end shows with credit for 64 KiB that it accepts a stream (P28). */
const ACCEPTANCE_FEATURE = 'acceptance'
/** Feature in our hello: an OPEN to this end may state the client of its stream (P33). */
const CLIENT_FEATURE = 'client'
/** The features of the session itself, in each hello. */
const SESSION_FEATURES = [
  ACCEPTANCE_FEATURE,
  AFFINITY_FEATURE,
  CLIENT_FEATURE,
  CAUSE_FEATURE,
  TIMING_FEATURE,
  TRACE_FEATURE,
] as const

/** The identity in our hello. The session adds the versions and the limits. */
export type Identity = Pick<Hello, 'agent' | 'instance' | 'name' | 'startedAt'> & {
  readonly features?: string[]
  /** Protocol versions, an inclusive range. Only tests of the version negotiation set it. */
  readonly versions?: readonly [number, number]
}

export interface SessionEvents {
  /** The peer's hello has arrived and a version is selected. From now on streams may be opened. */
  onReady(peer: Hello, version: number): void
  /** The peer opens a stream. Returns the stream's events. To refuse the stream, reset it here; the result is then unused. */
  onStream(stream: Stream, opening: Opening): StreamEvents
  /** A control message arrived that the session does not handle itself (all except hello, drain and drained). */
  onControl(message: ControlMessage): void
  /** A ping and its pong have measured the round trip, ms. */
  onRoundTrip?(sampleMs: number): void
  /** The peer drains. From now on `open` throws. */
  onPeerDrain(graceMs: number): void
  /** Called exactly once, when the transport is closed. Every open stream has received `onAbort` before. */
  onClose(error: TunnelError): void
}

export interface SessionOptions {
  readonly transport: Transport
  /** The dialer opens streams with odd ids, the acceptor streams with even ids. */
  readonly role: 'dialer' | 'acceptor'
  readonly identity: Identity
  readonly events: SessionEvents
  readonly limits?: Partial<SessionLimits>
  readonly clock?: Clock
  /** The account of this session alone, which counts and limits the bytes that the session holds. Absent: no count. */
  readonly held?: HeldBytes | undefined
}

/** The totals of a session since its start. */
export interface SessionTotals {
  readonly receivedBytes: number
  readonly sentBytes: number
  /** Times at which a stream of this end had data and no credit of the peer. */
  readonly ownStalls: number
  /** Times at which the peer had used up the credit of a stream. */
  readonly peerStalls: number
}

/** Unsent bytes up to this are a normal batch, and do not count as held. */
const UNCOUNTED_UNSENT_BYTES = 65_536

export class Session implements SessionTotals {
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
  readonly #turns: SendScheduler
  /** Shares of the clients in the streams that this end has opened. */
  readonly #shares: ClientShares
  readonly #identity: Identity
  readonly #held: HeldBytes | undefined
  // Bytes that the account was charged last.
  #unsentBytes = 0
  #unfinishedBytes = 0
  // Messages received so far; then the numbers of messages and bytes at the last check that found a new message.
  #messages = 0
  #messagesSeen = 0
  #bytesSeen = 0
  #state: SessionState = 'opening'
  #peer: Hello | undefined
  /** Read once from the peer's hello, instead of once for each stream. */
  #peerShowsAcceptance = false
  /** True when the peer decides which streams are traced. */
  #peerTraces = false
  #nextId: number
  #highestPeerId = 0
  #ownStreams = 0
  #helloTimer: Timer | undefined
  #drainTimer: Timer | undefined
  #graceEndsMs = Number.POSITIVE_INFINITY
  #error: TunnelError | undefined
  /** Errors that owners threw while the session ended. */
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
    this.#turns = new SendScheduler(
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
      onRoundTrip: sampleMs => this.#events.onRoundTrip?.(sampleMs),
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

  /** `opening` until the peer's hello arrives, then `open`, and `closed` at the end. */
  get state(): SessionPhase {
    return phaseOf(this.#state)
  }

  /** The peer's hello. Undefined while opening. */
  get peer(): Hello | undefined {
    return this.#peer
  }

  /** True when `open` would not throw. */
  get canOpen(): boolean {
    return (
      this.#state === 'open' &&
      this.#ownStreams < (this.#peer as Hello).maxStreams &&
      this.#held?.full !== true
    )
  }

  /** Returns false when the client holds its share of the streams that the peer accepts. Then `open` throws for this client. */
  hasRoomFor(client: string): boolean {
    return this.#shares.allows(client, this.#peer?.maxStreams ?? 0)
  }

  /** True when the session is open and no probe waits for its pong (`probe`). */
  get reachable(): boolean {
    return this.state === 'open' && !this.#pings.probing
  }

  /** Number of open streams, both directions. */
  get streamCount(): number {
    return this.#streams.size
  }

  get receivedBytes(): number {
    return this.#transport.receivedBytes
  }

  get sentBytes(): number {
    return this.#outbox.sentBytes
  }

  get ownStalls(): number {
    return this.#host.stalls.own
  }

  get peerStalls(): number {
    return this.#host.stalls.peer
  }

  /** Adds the number of open streams of each kind, both directions. */
  countStreams(counts: Map<StreamKind, number>): void {
    for (const { kind } of this.#streams.all()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }

  /** Smoothed round trip, ms; undefined before the first pong. */
  get rttMs(): number | undefined {
    return this.#pings.rttMs
  }

  /**
   * For an owner whose process was suspended and may have missed the end of the session: the session is not `reachable`
   * until the peer responds to a ping. Then it calls `onProved`. No effect unless the session is open.
   */
  probe(onConfirmed: () => void): void {
    if (this.state === 'open') this.#pings.probe(onConfirmed)
  }

  /**
   * Opens a stream. `end`: our half is complete with the head. `held`: the account that counts the bytes of the stream;
   * the default is the account of the session.
   * Throws TunnelError: `draining`, `overloaded` (the peer's stream limit, the budget of held bytes, or a peer that does
   * not read), `client_share` (the client's share of the streams), `session_lost`, or `payload_too_large` (the head does
   * not fit in the peer's frames). Throws HeadTextError when a string cannot be sent.
   */
  open(opening: Opening, events: StreamEvents, end: boolean, held = this.#held): Stream {
    const unsentBytes = this.#checkUnsent()
    if (!this.canOpen || held?.full === true) throw this.#whyNotOpen()
    // Request heads do not wait for a turn. Many large heads must not end a session whose peer reads slowly.
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
    // The opener keeps the head until the stream ends, because it may have to repeat the request.
    stream.headHeld(blockBytes, opening.fields.length)
    // The ids are used up after two thousand million streams. A drain lets a new session replace this one.
    if (this.#nextId > this.#limits.lastStreamId) void this.drain(this.#limits.exhaustedDrainMs)
    return stream
  }

  /**
   * Returns false without sending when the message is larger than a frame that the peer accepts. A closed session ignores the
   * message. It does not throw, because timers and callbacks call it.
   */
  sendControl(message: ControlMessage): boolean {
    return this.#state === 'closed' || this.#outbox.control(JSON.stringify(message))
  }

  /**
   * Asks the peer to open no new streams, and refuses new streams after the peer has confirmed. Waits at most `graceMs`
   * until no stream is open, resets the remaining streams with `going_away`, then closes. Resolves when the session is
   * closed. A further call can make the grace period shorter, not longer.
   */
  drain(graceMs: number): Promise<void> {
    if (this.#state === 'opening') this.close('going_away', 'drained')
    if (this.#state === 'closed') return this.#closed.promise
    if (allowsTransition(this.#state, 'drain')) {
      this.#advance('drain')
      // The protocol requires an integer; the rest of a longer grace period may have a fraction.
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

  /** Sends a BYE with the reason, aborts all streams with it, then closes. No effect on a closed session. */
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
    onHeadFrame: (id, status, block, body, end, blockBytes, backendUs) => {
      const stream = this.#find(id)
      if (stream === undefined) return
      const statusText = block.shift() as string
      stream.headArrived({ status, statusText, fields: block, backendUs }, blockBytes)
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
   * Counts the unsent bytes, and ends the session when they are over the limit, so that a peer that does not read cannot
   * use unlimited memory. Returns the unsent bytes, so that callers do not have to query the socket again.
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

  /** Counts the bytes of an incomplete message: all bytes that arrived after the last complete message. */
  #countUnfinished(receivedBytes: number): void {
    if (this.#held === undefined) return
    if (this.#messages !== this.#messagesSeen || this.#state === 'closed') {
      this.#messagesSeen = this.#messages
      this.#bytesSeen = receivedBytes
    }
    // The transport refuses longer messages. Further bytes are not part of a message, for example pings of the WebSocket.
    const bytes = Math.min(receivedBytes - this.#bytesSeen, MESSAGE_MAX_BYTES)
    if (bytes === this.#unfinishedBytes) return
    this.#held.add(bytes - this.#unfinishedBytes)
    this.#unfinishedBytes = bytes
  }

  /**
   * Ends the session when no hello arrives within `leftMs`. Counts the bytes of an incomplete hello in steps. Pings start
   * with the hello, and count such bytes from then on.
   */
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
    // A stated client is the first field, with an empty name. A field of HTTP always has a name.
    const stated = block[3] === ''
    const client = stated ? (block[4] as string) : ''
    const fields = block.slice(stated ? 5 : 3)
    const marked = takeTraceMark(fields)
    const traced = marked || (this.#peerTraces ? false : undefined)
    const affinity = takeAffinityField(fields)
    const stream = this.#newStream(id, kind, client, false, end, this.#held)
    const opening = { kind, hops, service, method, target, fields, client, affinity, traced }
    stream.attach(this.#events.onStream(stream, opening))
    stream.headHeld(blockBytes, fields.length)
    if (body !== undefined && stream.open) stream.dataArrived(body)
    if (end) stream.endArrived(undefined)
  }

  #refusal(kind: string | undefined): Reason | undefined {
    if (kind === undefined) return 'unknown_kind'
    if (!acceptsStreams(this.#state)) return 'draining'
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
        this.#advance('peer_drain')
        this.#outbox.control(JSON.stringify({ type: 'drained' } satisfies ControlMessage))
        this.#events.onPeerDrain(message.graceMs)
        return
      case 'drained':
        if (!allowsTransition(this.#state, 'drained')) throw new FrameError('drained without drain')
        this.#advance('drained')
        this.#closeWhenDrained()
        return
      default:
        this.#events.onControl(message)
    }
  }

  #helloArrived(peer: Hello): void {
    const versions = this.#identity.versions ?? PROTOCOL_VERSIONS
    const version = agreeOnVersion(versions, peer.versions)
    if (version === undefined) {
      const detail = `the two ends support the versions ${versions.join('-')} and ${peer.versions.join('-')}: update the older end`
      this.#fail(new TunnelError('unsupported_version', { detail }))
      return
    }
    this.#helloTimer?.cancel()
    this.#helloTimer = undefined
    this.#peer = peer
    this.#advance('hello')
    this.#outbox.maxFrameBytes = Math.min(peer.maxFrameBytes, MESSAGE_MAX_BYTES - FRAME_HEADER_BYTES)
    this.#outbox.statesClient = peer.features.includes(CLIENT_FEATURE)
    this.#outbox.statesCause = peer.features.includes(CAUSE_FEATURE)
    this.#outbox.statesTiming = peer.features.includes(TIMING_FEATURE)
    this.#peerShowsAcceptance = peer.features.includes(ACCEPTANCE_FEATURE)
    this.#peerTraces = peer.features.includes(TRACES_FEATURE)
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

  /** Returns the reason of the end. Its cause is the error that owners threw during the end. */
  #finalError(): TunnelError {
    const error = this.#error as TunnelError
    if (this.#thrown.length === 0) return error
    const { reason, detail, remote } = error
    const cause = this.#thrown.length === 1 ? this.#thrown[0] : new AggregateError(this.#thrown)
    return new TunnelError(reason, { detail, remote, cause })
  }

  /** Ends the session from this side. Sends the reason to the peer, unless the peer timed out. */
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
    this.#advance('end')
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
    // Not `draining`, which means that no byte was delivered. These requests were delivered, and some cannot be repeated.
    this.#abortAll(stream => stream.evict(new TunnelError('going_away', { detail: 'grace is over' })))
    this.close('going_away', 'grace is over')
  }

  #ownerFailed(error: unknown): void {
    if (this.#state === 'closed') this.#thrown.push(error)
    else this.#fail(asTunnelError(error))
  }

  /** Aborts all streams. Collects the errors of owners, so that an owner that throws does not affect other streams. */
  #abortAll(abort: (stream: MuxStream) => void): void {
    for (const stream of this.#streams.all()) {
      try {
        abort(stream)
      } catch (error) {
        this.#thrown.push(error)
      }
    }
  }

  #advance(event: SessionTransition): void {
    const next = nextSessionState(this.#state, event)
    if (next === undefined) throw new Error(`the session cannot ${event} in the state ${this.#state}`)
    this.#state = next
  }

  #closeWhenDrained(): void {
    if (isDrained(this.#state) && this.#streams.size === 0) this.close('going_away', 'drained')
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

  /** Returns the stream of a frame. Undefined when the stream closed here while the frame was on its way. */
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
      stalls: { own: 0, peer: 0 },
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
    this.#closeWhenDrained()
  }

  #sendable(opening: Opening): Opening {
    const { affinity, traced } = opening
    let sendable = opening
    if (affinity !== undefined && this.#peer?.features.includes(AFFINITY_FEATURE) === true)
      sendable = withAffinityField(sendable, affinity)
    if (traced === true && this.#peer?.features.includes(TRACE_FEATURE) === true)
      sendable = withTraceMark(sendable)
    return sendable
  }

  /** Returns the client of each stream that this end has opened. */
  #clients(): string[] {
    const parity = this.#nextId % 2
    return this.#streams
      .all()
      .filter(({ id }) => id % 2 === parity)
      .map(({ client }) => client)
  }

  #whyNotOpen(): TunnelError {
    if (this.state !== 'open')
      return this.#error ?? new TunnelError('session_lost', { detail: 'not open yet' })
    return new TunnelError(this.#state === 'open' ? 'overloaded' : 'draining')
  }

  #hello(): Hello {
    const { agent, instance, name, startedAt, versions = PROTOCOL_VERSIONS } = this.#identity
    const { initialWindowBytes, maxStreams, maxFrameBytes } = this.#limits
    const range: [number, number] = [versions[0], versions[1]]
    const more = this.#identity.features ?? []
    const features = [...SESSION_FEATURES, ...more]
    const own = { agent, instance, name, startedAt, features, initialWindowBytes, maxStreams, maxFrameBytes }
    return { type: 'hello', versions: range, ...own }
  }
}

/** The strings at the start of the head block of an OPEN. */
type OpenStrings = [service: string, method: string, target: string, ...fields: string[]]

function readControl(payload: Buffer): ControlMessage | undefined {
  try {
    return parseControl(payload)
  } catch (error) {
    throw new FrameError(error instanceof Error ? error.message : 'malformed control message')
  }
}

/** Converts an error from handling a message or a turn: a FrameError keeps its reason; any other error is internal. */
function asTunnelError(error: unknown): TunnelError {
  if (error instanceof FrameError)
    return new TunnelError(error.reason, { detail: error.message, cause: error })
  return new TunnelError('internal_error', { cause: error })
}
