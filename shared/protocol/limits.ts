// The limits of a session, with the default of each limit and the reason for it.

import { DEFAULT_CLIENT_SHARE_PERCENT } from '../client-shares.ts'

export interface SessionLimits {
  /** Streams that the peer may have open at the same time. A further stream is refused with `overloaded`. */
  readonly maxStreams: number
  /** Share of the peer's streams that one client may hold, percent; 100: all. Streams without a client have no limit. */
  readonly clientSharePercent: number
  /** Largest frame payload that this end accepts, bytes. It limits head blocks and control messages. */
  readonly maxFrameBytes: number
  /** Credit that the peer gets with each new stream, bytes. A stalled reader holds at most this before its window grows. */
  readonly initialWindowBytes: number
  /** Largest size of a window, bytes. 16 MiB allows 1.3 Gbit/s at a round trip of 100 ms. */
  readonly maxWindowBytes: number
  /** Total growth of all windows of a session beyond their initial size, bytes. */
  readonly windowGrowthBytes: number
  /** From this number of unsent bytes on, body data waits in the streams instead of in the transport. */
  readonly sendHighWaterBytes: number
  /** At this number of unsent bytes the session ends, because the peer does not read. */
  readonly sendHardLimitBytes: number
  /** Time between pings, ms. */
  readonly pingIntervalMs: number
  /** The session ends after this time without a received byte, ms. The defaults detect a dead peer within 10 s. */
  readonly pingTimeoutMs: number
  /** Time limit for the peer's hello, ms. */
  readonly helloTimeoutMs: number
  /** Control messages that a peer may send at once, and then per second. A message over the limit ends the session. */
  readonly controlBurst: number
  readonly controlPerSecond: number
  /** After this stream id the session starts to drain, so that a new session replaces it. */
  readonly lastStreamId: number
  /** Time limit of that drain, ms. */
  readonly exhaustedDrainMs: number
}

export const DEFAULT_LIMITS: SessionLimits = {
  maxStreams: 4096,
  clientSharePercent: DEFAULT_CLIENT_SHARE_PERCENT,
  maxFrameBytes: 262_144,
  initialWindowBytes: 262_144,
  maxWindowBytes: 16 * 1024 * 1024,
  windowGrowthBytes: 32 * 1024 * 1024,
  sendHighWaterBytes: 262_144,
  sendHardLimitBytes: 32 * 1024 * 1024,
  pingIntervalMs: 2000,
  pingTimeoutMs: 6000,
  helloTimeoutMs: 10_000,
  controlBurst: 64,
  controlPerSecond: 10,
  lastStreamId: 0xffff_fff0,
  exhaustedDrainMs: 600_000,
}

/** Largest WebSocket message that a sender builds, bytes: a full batch and one more frame. Receivers accept this size. */
export const MESSAGE_MAX_BYTES = 1024 * 1024
