// The copy of one request: whether the rules of the service want it, and its content. The content is taken from the real request
// when the head of its response arrives. A body must have arrived completely until then, because no more of it is kept.

import { removeFields } from '@vera-stack/shared/http/headers.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import { writeTraceParent } from '@vera-stack/shared/trace/trace-fields.ts'
import type { MirrorRules } from '../../routes/rules/mirror-rules.ts'
import { MIRROR_FIELD } from '../../telephones/mirrors/mirror-field.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'

/** RFC 9110 section 9.2.1. */
const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE']

/** The client that the streams of all copies name. So copies together hold at most the share of one client of each limit. */
export const MIRROR_CLIENT = 'mirror'

/** A complete body. Others may read the chunks too, so they must not be changed. */
export interface CompleteBody {
  readonly chunks: readonly Buffer[]
  readonly trailers: string[] | undefined
}

export interface MirroredRequest {
  readonly request: RoutedRequest
  readonly rules: MirrorRules
  /** Undefined: the request has no body. */
  readonly body: CompleteBody | undefined
}

/**
 * True when the request is to be copied. `servedBy`: the subset whose process has responded; a copy would be sent to the same
 * version again. `random`: a uniform random number in [0, 1).
 */
export function wantsMirror(
  { percent, methods, to }: MirrorRules,
  { opening, upgrade, replay }: RoutedRequest,
  servedBy: string | undefined,
  random: number,
): boolean {
  return (
    upgrade === '' &&
    replay === undefined &&
    servedBy !== to &&
    (methods ?? SAFE_METHODS).includes(opening.method) &&
    random * 100 < percent
  )
}

/** Returns the OPEN of the copy. `service`: the name that the Telephone announced. */
export function mirroredOpening({ request }: MirroredRequest, service: string): Opening {
  const { kind, hops, method, target, fields, traced } = request.opening
  const copied = [...fields]
  // The whole body follows at once, so the backend must not ask for it.
  if (request.expectsContinue) removeFields(copied, ['expect'])
  copied.push(MIRROR_FIELD, '1')
  // A copy is no attempt, so it has no span here: the SERVER span is its parent.
  if (request.traced !== undefined) writeTraceParent(copied, request.traced.traceParent)
  return { kind, hops, service, method, target, fields: copied, client: MIRROR_CLIENT, traced }
}
