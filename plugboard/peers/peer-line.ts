// One line of another replica, as the picker knows it: the way there is the peer's, for all its lines alike; a stream
// says besides which of them was picked, so that a request that failed on one is not given to the same one again.

import type { HeldBytes } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { LineId } from '../registry/line-ids.ts'
import type { Upstream } from '../registry/upstream.ts'
import type { Peer } from './peer.ts'

export class PeerLine implements Upstream {
  readonly #peer: Peer
  readonly #lineId: LineId
  readonly #heldOf: () => HeldBytes | undefined
  #held: HeldBytes | undefined

  /** `heldOf`: where the bytes of its streams are counted. Asked at the first stream. */
  constructor(peer: Peer, lineId: LineId, heldOf: () => HeldBytes | undefined) {
    this.#peer = peer
    this.#lineId = lineId
    this.#heldOf = heldOf
  }

  get canOpen(): boolean {
    return this.#peer.canOpen && this.#held?.full !== true
  }

  hasRoomFor(client: string): boolean {
    return this.#peer.hasRoomFor(client)
  }

  get reachable(): boolean {
    return this.#peer.reachable
  }

  get streamCount(): number {
    return this.#peer.streamCount
  }

  open(opening: Opening, events: StreamEvents, end: boolean): Stream {
    this.#held ??= this.#heldOf()
    return this.#peer.open(opening, events, end, this.#lineId, this.#held)
  }
}
