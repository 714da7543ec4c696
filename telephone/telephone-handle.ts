// What `connect()` returns: the part of a Telephone that the users of the library need. The class behind it (telephone.ts) has
// more members, and the declarations of the package must not show the types of those.

import type { AnnouncedService, TelephoneListener } from './events.ts'

/** A Telephone that `connect()` has started. */
export interface TelephoneHandle {
  /** Its name in the lists and logs of Plugboard. */
  readonly name: string
  /** `connecting`: no tunnel is ready. `ready`: at least one is. `draining`: `close` was called. */
  readonly state: 'connecting' | 'ready' | 'draining' | 'closed'
  /** A copy of the state of each tunnel. */
  readonly tunnels: readonly TunnelStatus[]
  /** The services as Plugboard has last accepted or refused them, with the URLs where they can be reached. */
  readonly services: readonly AnnouncedService[]
  /** Calls `listener` with each later event. A listener must not throw. Returns a function that ends the subscription. */
  subscribe(listener: TelephoneListener): () => void
  /**
   * Takes no new requests, finishes the open ones within `graceMs` (default: `drainTimeoutMs`), then closes the tunnels and the
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
