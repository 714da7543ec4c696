// Streams for lines that end on this replica, for those who have no choice beyond it: peers that forward a request.
// The peer has picked one of our lines by the service's policy, over all lines and what it has tried already: that one
// takes the stream, even while it is in doubt (this process was away): the peer has no better news of it. When it has
// gone meanwhile, or the peer did not say which, the least loaded one does.

import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { StreamTarget, TunnelId } from '../../registry/line-ids.ts'
import type { Upstream } from '../../registry/upstream.ts'
import type { LinePicker, PickPolicy } from './line-picker.ts'
import type { Candidate } from './line-pool.ts'

/** The limit of the service's streams is the peer's to keep: it counts what it has let in. */
const POLICY: PickPolicy = { balancing: 'least_streams', maxStreams: null }

export interface LocalLinesOptions {
  /** Of this replica's lines alone. */
  readonly picker: LinePicker
  /** The name of the service that an announced name means. Default: the same. */
  readonly serviceOf?: ((announced: string) => string) | undefined
  /** The way to a tunnel of this replica; undefined: it is gone, or takes nothing for the service. */
  readonly tunnelOf: (tunnelId: TunnelId, service: string) => Upstream | undefined
}

export class LocalLines {
  readonly #picker: LinePicker
  readonly #tunnelOf: LocalLinesOptions['tunnelOf']
  readonly #serviceOf: (announced: string) => string

  constructor({ picker, tunnelOf, serviceOf = announced => announced }: LocalLinesOptions) {
    this.#serviceOf = serviceOf
    this.#picker = picker
    this.#tunnelOf = tunnelOf
  }

  /**
   * Opens a stream on the line of the target. When the target names no line, or its line takes no stream, the least loaded
   * line of the service takes it. Throws TunnelError: `unknown_service` when no line is here, else the error of the last line.
   */
  open(target: StreamTarget, opening: Opening, events: StreamEvents, end: boolean): Stream {
    const picked = target.kind === 'line' ? this.#tunnelOf(target.tunnelId, target.service) : undefined
    if (picked?.canOpen !== true) return this.#openAny(opening, events, end)
    return picked.open(opening, events, end)
  }

  close(): void {
    this.#picker.close()
  }

  #openAny(opening: Opening, events: StreamEvents, end: boolean): Stream {
    let tried: Candidate[] | undefined
    const service = this.#serviceOf(opening.service)
    let last = new TunnelError('unknown_service')
    for (;;) {
      const picked = this.#picker.pick(service, POLICY, tried, undefined, opening.client)
      if (picked === 'overloaded') throw new TunnelError('overloaded')
      if (picked === 'concurrency_limited') throw new TunnelError('client_share')
      if (picked === 'service_unhealthy' && tried === undefined) {
        const { cause: causeCode, detail } = this.#picker.explain(opening.service, picked)
        throw new TunnelError('unknown_service', { causeCode, detail })
      }
      if (typeof picked === 'string') throw last
      try {
        return picked.upstream.open({ ...opening, service: picked.line.service }, events, end)
      } catch (error) {
        if (!(error instanceof TunnelError) || error.reason === 'payload_too_large') throw error
        last = error
        tried ??= []
        tried.push(picked)
      }
    }
  }
}
