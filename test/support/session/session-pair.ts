// Two real Sessions joined in memory. The test controls their clock. The streams of the acceptor are recorded, and `onStream`
// of the test responds to them.

import { Session, type SessionEvents, type SessionLimits } from '@vera-stack/shared/protocol/session.ts'
import { HeldBytes } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { eventually } from '../deadline.ts'
import { ManualClock } from '../manual-clock.ts'
import {
  type MemoryTransportOptions,
  type MemoryTransportPair,
  memoryTransportPair,
} from './memory-transport.ts'
import { RecordedStream } from './recorded-stream.ts'

export class SessionEnd {
  readonly session: Session
  /** The bytes that the session holds. */
  readonly held: HeldBytes
  /** The streams that the other end has opened, in order. */
  readonly accepted: RecordedStream[] = []
  readonly opened: RecordedStream[] = []
  readonly closes: TunnelError[] = []
  readonly peerDrains: number[] = []

  constructor(
    role: 'dialer' | 'acceptor',
    transport: MemoryTransportPair['a'],
    clock: ManualClock,
    limits: Partial<SessionLimits>,
    budgetBytes: number,
    onStream: (stream: RecordedStream) => void,
  ) {
    this.held = new HeldBytes({ budgetBytes, parent: new HeldBytes({ budgetBytes: 2 * budgetBytes }) })
    const events: SessionEvents = {
      onReady: () => undefined,
      onStream: (stream, opening) => {
        const recorded = new RecordedStream()
        recorded.stream = stream
        recorded.opening = opening
        this.accepted.push(recorded)
        onStream(recorded)
        return recorded
      },
      onControl: () => undefined,
      onPeerDrain: graceMs => this.peerDrains.push(graceMs),
      onClose: error => this.closes.push(error),
    }
    const identity = { agent: 'test/1', instance: `instance-${role}`, name: role, startedAt: 1 }
    this.session = new Session({ transport, role, identity, events, limits, clock, held: this.held })
  }

  open(opening: Partial<Opening> = {}, end = false): RecordedStream {
    const recorded = new RecordedStream()
    recorded.opening = {
      kind: 'http',
      hops: 0,
      service: 'app',
      method: 'POST',
      target: '/',
      fields: [],
      ...opening,
    }
    recorded.stream = this.session.open(recorded.opening, recorded, end)
    this.opened.push(recorded)
    return recorded
  }
}

export interface SessionPairOptions {
  readonly link?: Omit<MemoryTransportOptions, 'clock'>
  readonly limits?: Partial<SessionLimits>
  /** Limits of one end that differ from the other end. */
  readonly dialerLimits?: Partial<SessionLimits>
  readonly acceptorLimits?: Partial<SessionLimits>
  /** Budget of held bytes, for each end. Default: more than any test holds. */
  readonly budgetBytes?: number
  readonly onStream?: (stream: RecordedStream) => void
}

export class SessionPair {
  /** The clock of both sessions. The link has another one, so that `clock.pendingTimers` counts only timers of the sessions. */
  readonly clock = new ManualClock()
  readonly linkClock = new ManualClock()
  readonly link: MemoryTransportPair
  readonly dialer: SessionEnd
  readonly acceptor: SessionEnd

  constructor(options: SessionPairOptions = {}) {
    const { limits, budgetBytes = 2 ** 30, onStream = () => undefined } = options
    this.link = memoryTransportPair({ ...options.link, clock: this.linkClock })
    this.dialer = new SessionEnd(
      'dialer',
      this.link.a,
      this.clock,
      { ...limits, ...options.dialerLimits },
      budgetBytes,
      onStream,
    )
    this.acceptor = new SessionEnd(
      'acceptor',
      this.link.b,
      this.clock,
      { ...limits, ...options.acceptorLimits },
      budgetBytes,
      onStream,
    )
  }

  get ends(): readonly [SessionEnd, SessionEnd] {
    return [this.dialer, this.acceptor]
  }

  /** Waits until all messages on the wire have arrived. */
  async settle(turns = 20): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) await new Promise<void>(resolve => setImmediate(resolve))
  }

  /** Advances both clocks in steps. Messages that are due arrive between the steps. */
  async advance(byMs: number, stepMs = 100): Promise<void> {
    for (let left = byMs; left > 0; left -= stepMs) {
      this.linkClock.advance(Math.min(stepMs, left))
      this.clock.advance(Math.min(stepMs, left))
      await this.settle(4)
    }
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    await eventually(what, () => condition() || undefined)
  }
}

/** Resolves with a pair whose ends have exchanged hello. */
export async function openSessionPair(options: SessionPairOptions = {}): Promise<SessionPair> {
  const pair = new SessionPair(options)
  await pair.settle()
  return pair
}
