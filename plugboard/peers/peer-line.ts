// The upstream of one line of another replica. All lines of a peer share its links. Each stream names the picked line, so that
// the peer does not give a retried request to the line that failed.

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

  /** `heldOf` returns the account for the bytes of its streams. Called at the first stream. */
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
