// SKELETON: the interface is final, the implementation is on its way.

import { type Clock } from '../clock.ts'
import type { ControlMessage, Hello } from './control.ts'
import type { Reason, TunnelError } from './reason.ts'
import type { Opening, Stream, StreamEvents } from './stream.ts'
import type { Transport } from './transport.ts'

/** Who we are, as our hello says it. Versions and limits are the session's own to add. */
export type Identity = Pick<Hello, 'agent' | 'instance' | 'name' | 'startedAt'> & { features?: string[] }

export interface SessionLimits {
  readonly maxStreams: number
  readonly maxFrameBytes: number
  readonly initialWindowBytes: number
  readonly maxWindowBytes: number
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

export interface SessionEvents {
  /** The peer's hello has come and a version is agreed: streams may be opened. */
  onReady(peer: Hello): void
  /** The peer opens a stream. Returns its events. To refuse, reset the stream here and return anything. */
  onStream(stream: Stream, opening: Opening): StreamEvents
  /** A control message that is not the session's own (all but hello, drain and drained). */
  onControl(message: ControlMessage): void
  /** The peer drains: open no new streams here (`open` would throw). */
  onPeerDrain(graceMs: number): void
  /** The end, exactly once; every stream has had its `onAbort` before. */
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
}

export declare class Session {
  constructor(options: SessionOptions)
  /** `opening` until the peer's hello; then `open`; `closed` at the end. */
  readonly state: 'opening' | 'open' | 'closed'
  /** True when new streams can be opened: open, the peer is not draining, and its stream limit is not reached. */
  readonly canOpen: boolean
  /** Streams open now, both directions. */
  readonly streamCount: number
  /** Smoothed round trip, ms; undefined before the first pong. */
  readonly rttMs: number | undefined
  /** Throws TunnelError (draining, overloaded, session_lost). `end`: our half is complete with the head. */
  open(opening: Opening, events: StreamEvents, end: boolean): Stream
  sendControl(message: ControlMessage): void
  /**
   * Asks the peer for no new streams (they are refused once it has confirmed), waits until none is left, at
   * most `graceMs`, resets the rest with `draining`, then closes. Resolves when the session is closed.
   */
  drain(graceMs: number): Promise<void>
  /** Says goodbye with a reason, then closes. Streams abort. */
  close(reason: Reason, detail?: string): void
}
