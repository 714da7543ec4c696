// The access line: what one request looks like when it is over. Its reader is injected, and nobody waits for it.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { AccessFields } from '@vera-stack/shared/log.ts'

export type AccessSink = (fields: AccessFields) => void

/** The status that the log shows for a client that left before it had a head; no client ever sees it. */
export const CLIENT_CLOSED_REQUEST = 499

/** A duration as the access line has it: with three digits after the point. */
export function roundedMs(durationMs: number): number {
  return Math.round(durationMs * 1000) / 1000
}

/**
 * Returns the time of the clock for the duration of a request, or 0 when no access log needs it: a reading of the clock for
 * each request costs as much as the construction of its exchange.
 */
export function requestStart({
  access,
  clock,
}: {
  readonly access: AccessSink | undefined
  readonly clock: Clock
}): number {
  return access === undefined ? 0 : clock.now()
}
