// Opens the streams that peers forward to lines of this replica. The peer has picked one of these lines by the service's
// policy, among all lines that it had not tried. That line takes the stream, even while its tunnel is not yet confirmed alive
// after a suspension of this process. When the line has ended, or the peer did not name one, a line of the least loaded
// process takes it.

import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { StreamTarget, TunnelId } from '../../registry/line-ids.ts'
import type { Upstream } from '../../registry/upstream.ts'
import { isMirrored } from '../mirrors/mirror-field.ts'
import type { LinePicker } from '../picker/line-picker.ts'
import type { PickPolicy } from '../picker/pick-request.ts'
import type { Candidate } from '../pools/line-pool.ts'

/** The peer enforces the limits of the service, because it counts the requests that it admitted. */
const POLICY: PickPolicy = {
  balancing: 'least_streams',
  maxStreams: null,
  maxStreamsPerTelephone: null,
  slowStartMs: 0,
  whenAllDown: 'refuse',
  outlier: false,
}

export interface LocalLinesOptions {
  /** Picks among the lines of this replica only, and counts the streams on the tunnels. */
  readonly picker: LinePicker
  /** Returns the name of the service for an announced name. Default: the announced name itself. */
  readonly serviceOf?: ((announced: string) => string) | undefined
  /** Returns the upstream of a tunnel of this replica; undefined: the tunnel has closed, or takes no streams for the service. */
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
   * Opens a stream on the line of the target. When the target names no line, or its line takes no stream, a line of
   * the least loaded process of the service takes it. Throws TunnelError: `unknown_service` when no line is here, else the error of the last line.
   */
  open(target: StreamTarget, opening: Opening, events: StreamEvents, end: boolean): Stream {
    const picked = target.kind === 'line' ? this.#tunnelOf(target.tunnelId, target.service) : undefined
    if (picked?.canOpen === true) return picked.open(opening, events, end)
    // A copy is for the processes of one subset, so it never goes to another process.
    if (isMirrored(opening)) throw new TunnelError(picked === undefined ? 'unknown_service' : 'overloaded')
    return this.#openAny(opening, events, end)
  }

  close(): void {
    this.#picker.close()
  }

  #openAny(opening: Opening, events: StreamEvents, end: boolean): Stream {
    let tried: Candidate[] | undefined
    const service = this.#serviceOf(opening.service)
    const client = opening.client ?? ''
    let last = new TunnelError('unknown_service')
    for (;;) {
      const picked = this.#picker.pick({
        service,
        policy: POLICY,
        tried,
        preferred: undefined,
        client,
        key: undefined,
      })
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
