// Opens a stream for a request on a line of its service. When a line refuses the stream at once, the line is excluded, and the next
// line is tried. This is not a retry, because the request was not sent.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import type { PickRequest } from '../../telephones/picker/pick-request.ts'
import type { Candidate } from '../../telephones/pools/line-pool.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import type { BackendAffinity } from '../policy/backend-affinity.ts'
import type { ProxyContext } from '../proxy-context.ts'
import { codeOf, failureOfStream, type RequestFailure } from './request-failure.ts'

/** The request that needs a line, and gets the events of the stream. Attempts is one itself, so that no object is made. */
export interface LineSeeker extends PickRequest, StreamEvents {
  readonly context: ProxyContext
  readonly request: RoutedRequest
  readonly serviceId: ServiceId
  readonly policy: ServicePolicy
  /** The backend connection of the client; undefined: no request has authenticated the connection. */
  readonly affinity: BackendAffinity | undefined
  /** True when the request has no body. */
  readonly endsWithHead: boolean
  failure: RequestFailure | undefined
  /** Called when the stream is open. It has sent the head. */
  streamOpened(stream: Stream, line: Candidate): void
  /** Called when the line has refused the stream, for the reason in `failure`. */
  lineRefused(line: Candidate, code: ErrorCode): void
}

/** Returns undefined when a stream is open, or an error code. `exhausted`: the code when all lines were tried. */
export function openLine(seeker: LineSeeker, exhausted: ErrorCode): ErrorCode | undefined {
  const { context, affinity } = seeker
  const { opening: bare } = seeker.request
  const opening = affinity === undefined ? bare : { ...bare, affinity: affinity.id }
  let lastCode = exhausted
  for (;;) {
    const picked = context.picker.pick(seeker)
    if (typeof picked === 'string') {
      if (picked === 'exhausted') return lastCode
      seeker.failure = context.picker.explain(seeker.service, picked, seeker.policy)
      return picked
    }
    seeker.request.traced?.beginAttempt(opening.fields, opening.method)
    try {
      const stream = picked.upstream.open(openingFor(opening, picked), seeker, seeker.endsWithHead)
      affinity?.keep(seeker.serviceId, picked)
      seeker.streamOpened(stream, picked)
      return undefined
    } catch (error) {
      if (!(error instanceof TunnelError)) {
        // HeadTextError: a string of Plugboard itself cannot be encoded, so the request fails on every line.
        context.log.error('stream not opened', { requestId: seeker.request.requestId, err: error })
        return 'internal_error'
      }
      if (error.reason === 'payload_too_large') return 'headers_too_large'
      lastCode = codeOf(error)
      seeker.failure = failureOfStream(lastCode, error)
      seeker.lineRefused(picked, lastCode)
    }
  }
}

/** Returns the opening with the name of the service that the Telephone announced, because it may be a former name. */
function openingFor(opening: Opening, { line }: Candidate): Opening {
  return line.service === opening.service ? opening : { ...opening, service: line.service }
}
