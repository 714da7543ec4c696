// Makes the request of a replay from an exchange and the edits of a person (shared/inspect/replay/replayed-request.ts), for the path of client
// requests. Throws `invalid_request` with the place of a fault.

import type { CapturedExchange } from '@vera-stack/shared/inspect/captured-exchange.ts'
import type { CaptureRules } from '@vera-stack/shared/inspect/exchange-capture.ts'
import type { ReplayEdits } from '@vera-stack/shared/inspect/replay/replay-edits.ts'
import {
  type ReplayedRequest,
  ReplayProblem,
  replayedRequest,
} from '@vera-stack/shared/inspect/replay/replayed-request.ts'
import type { ReplayRequest } from '../../../observe/exchanges/replay-types.ts'
import type { ReplayInput } from '../../bodies/requests/replay.ts'
import { refuseProblems } from '../../http/problem.ts'

export interface ReplayPlan {
  readonly request: ReplayRequest
  /** The masked values that are left out: names of fields and parameters, and pointers into a JSON body. */
  readonly leftOut: readonly string[]
}

/** `rules`: those of the service now, whose `maskJson` applies in addition to that of the exchange. */
export function replayPlan(exchange: CapturedExchange, edits: ReplayInput, rules: CaptureRules): ReplayPlan {
  const { request, scheme } = exchange
  const { leftOut, ...replayed } = requestOf(exchange, edits)
  return {
    leftOut,
    request: {
      ...replayed,
      exchange: exchange.id,
      serviceId: exchange.serviceId,
      scheme: scheme === 'https' ? 'https' : 'http',
      clientAddress: request.remoteAddress,
      telephone: edits.telephone,
      rules: {
        maxBodyBytes: rules.maxBodyBytes,
        maskJson: [...new Set([...exchange.maskJson, ...rules.maskJson])],
      },
    },
  }
}

function requestOf(exchange: CapturedExchange, edits: ReplayEdits): ReplayedRequest {
  try {
    return replayedRequest(exchange, edits)
  } catch (error) {
    if (error instanceof ReplayProblem) refuseProblems([{ path: error.path, message: error.message }])
    throw error
  }
}
