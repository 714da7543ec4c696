// The access line: what one request looks like when it is over. Its reader is injected, and nobody waits for it.

import type { AccessFields } from '@vera-stack/shared/log.ts'

export type AccessSink = (fields: AccessFields) => void

/** The status that the log shows for a client that left before it had a head; no client ever sees it. */
export const CLIENT_CLOSED_REQUEST = 499
