// One line of another replica, as the picker knows it: the way there is the peer's, for all its lines alike; a stream
// says besides which of them was picked, so that a request that failed on one is not given to the same one again.

import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/stream.ts'
import type { Upstream } from '../registry/upstream.ts'
import type { Peer } from './peer.ts'

export class PeerLine implements Upstream {
  readonly #peer: Peer
  readonly #lineId: string

  constructor(peer: Peer, lineId: string) {
    this.#peer = peer
    this.#lineId = lineId
  }

  get canOpen(): boolean {
    return this.#peer.canOpen
  }

  get reachable(): boolean {
    return this.#peer.reachable
  }

  get streamCount(): number {
    return this.#peer.streamCount
  }

  open(opening: Opening, events: StreamEvents, end: boolean): Stream {
    return this.#peer.open(opening, events, end, this.#lineId)
  }
}
