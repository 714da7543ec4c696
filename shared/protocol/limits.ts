// The numbers a session keeps to, with their defaults and the reason for each.

import { DEFAULT_CLIENT_SHARE_PERCENT } from '../client-shares.ts'

export interface SessionLimits {
  /** Streams the peer may have open at once. One over is refused with `overloaded`. */
  readonly maxStreams: number
  /** How many of the peer's streams one client may hold, in percent; 100: all. Streams without a client have no limit. */
  readonly clientSharePercent: number
  /** Largest frame payload taken from the peer, bytes. Bounds head blocks and control messages. */
  readonly maxFrameBytes: number
  /** Credit each new stream gives the peer, bytes: what one stalled reader can cost before any growth. */
  readonly initialWindowBytes: number
  /** A window grows to at most this, bytes: 16 MiB is 1.3 Gbit/s at 100 ms of round trip. */
  readonly maxWindowBytes: number
  /** What all windows of a session together may grow beyond their initial size, bytes. */
  readonly windowGrowthBytes: number
  /** Unsent bytes at which body data waits its turn in the streams instead of in the transport. */
  readonly sendHighWaterBytes: number
  /** Unsent bytes at which the peer is taken for one that does not read, and the session ends. */
  readonly sendHardLimitBytes: number
  /** Time between pings, ms. */
  readonly pingIntervalMs: number
  /** Silence after which the peer is dead, ms. With the interval: found within 10 s at the defaults. */
  readonly pingTimeoutMs: number
  /** Time for the peer's hello, ms. */
  readonly helloTimeoutMs: number
  /** Control messages that a peer may send at once, and per second from then on. One over ends the session. */
  readonly controlBurst: number
  readonly controlPerSecond: number
  /** Past this stream id the session drains by itself, so that a fresh one takes over. */
  readonly lastStreamId: number
  /** Grace of that drain, ms. */
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

/** Largest WebSocket message a sender makes, bytes: a full batch and one more frame. Receivers allow this. */
export const MESSAGE_MAX_BYTES = 1024 * 1024
