// The last failed request of a service on one replica, as the proxy records it and the admin API reads it.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'

export interface ServiceError {
  readonly code: ErrorCode
  /** One line for operators: the cause, if it is known; otherwise the meaning of the code. */
  readonly message: string
  /** ms since 1970. */
  readonly atMs: number
  readonly requestId: string
  /** The telephone that had the request; undefined: the request reached no telephone. */
  readonly telephone: string | undefined
}
