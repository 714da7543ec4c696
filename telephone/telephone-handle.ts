// The result of `connect()`: the part of a Telephone for users of the library. The class Telephone (telephone.ts) has more members.
// The declarations of the package must not contain their types.

import type { AnnouncedService, TelephoneListener } from './events.ts'

/** A Telephone that `connect()` has started. */
export interface TelephoneHandle {
  /** The name of the Telephone in the lists and logs of Plugboard. */
  readonly name: string
  /** `connecting`: no tunnel is ready. `ready`: at least one tunnel is ready. `draining`: `close` was called. */
  readonly state: 'connecting' | 'ready' | 'draining' | 'closed'
  /** A copy of the state of each tunnel. */
  readonly tunnels: readonly TunnelStatus[]
  /** The last result of Plugboard for each service, with the URLs at which the service can be reached. */
  readonly services: readonly AnnouncedService[]
  /** Calls `listener` with each later event. A listener must not throw. Returns a function that ends the subscription. */
  subscribe(listener: TelephoneListener): () => void
  /**
   * Accepts no new requests, finishes open requests within `graceMs` (default: `drainTimeoutMs`), then closes the tunnels and the
   * connections to backends. A second call returns the same promise.
   */
  close(graceMs?: number): Promise<void>
}

export interface TunnelStatus {
  /** Counted from 1. */
  readonly number: number
  readonly state: 'waiting' | 'dialing' | 'greeting' | 'announcing' | 'ready' | 'stopped'
  /** The address of the last dial, without a query. */
  readonly url: string | undefined
  /** The replica of Plugboard at the other end, once it has sent its hello. */
  readonly replica: string | undefined
  /** Smoothed round trip, ms; undefined before the first ping. */
  readonly rttMs: number | undefined
}
