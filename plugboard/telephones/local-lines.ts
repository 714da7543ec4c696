// Streams for lines that end on this replica, for those who have no choice beyond it: peers that forward a request.
// The peer has chosen this replica by the service's policy; among our own lines the least loaded one takes it.

import { TunnelError } from '@vera-stack/shared/protocol/reason.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/stream.ts'
import type { Candidate, LinePicker, PickPolicy } from './line-picker.ts'

/** The limit of the service's streams is the peer's to keep: it counts what it has let in. */
const POLICY: PickPolicy = { balancing: 'least_streams', maxStreams: null }

/** `picker`: of this replica's lines alone. */
export class LocalLines {
  readonly #picker: LinePicker

  constructor(picker: LinePicker) {
    this.#picker = picker
  }

  /** Throws TunnelError: `unknown_service` when no line is here, else what the last line that was tried said. */
  open(opening: Opening, events: StreamEvents, end: boolean): Stream {
    let tried: Candidate[] | undefined
    let last = new TunnelError('unknown_service')
    for (;;) {
      const picked = this.#picker.pick(opening.service, POLICY, tried)
      if (typeof picked === 'string') {
        throw picked === 'overloaded' ? new TunnelError('overloaded') : last
      }
      try {
        return picked.upstream.open(opening, events, end)
      } catch (error) {
        if (!(error instanceof TunnelError) || error.reason === 'payload_too_large') throw error
        last = error
        tried ??= []
        tried.push(picked)
      }
    }
  }
}
