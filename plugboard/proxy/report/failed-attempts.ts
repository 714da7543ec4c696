// The failed attempts of a request, as the last failures and the inspector show them. Texts are safe and bounded.

import type { FailedAttempt } from '@vera-stack/shared/inspect/failed-attempt.ts'
import { safeText } from '@vera-stack/shared/log/safe-fields.ts'
import { printable } from '@vera-stack/shared/text/printable.ts'
import type { AttemptFailure, FinishedRequest } from './finished-request.ts'

/** Failed attempts that are shown. A request may try many lines that refuse it at once. */
const MAX_ATTEMPTS = 16
const MAX_DETAIL = 300

export function failedAttemptsOf({ failedAttempts = [], startedAtMs }: FinishedRequest): FailedAttempt[] {
  return failedAttempts.slice(0, MAX_ATTEMPTS).map((attempt: AttemptFailure) => ({
    telephone: attempt.telephone,
    replicaId: attempt.replicaId,
    code: attempt.code,
    cause: attempt.failure?.cause ?? null,
    detail:
      attempt.failure?.detail === undefined ? null : printable(safeText(attempt.failure.detail, MAX_DETAIL)),
    afterMs: Math.round((attempt.atMs - startedAtMs) * 1000) / 1000,
  }))
}
