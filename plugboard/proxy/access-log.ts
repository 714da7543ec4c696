// The access line: the record of one finished request. The sink that receives it is injected, and no request waits for it.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { AccessFields } from '@vera-stack/shared/log.ts'

export type AccessSink = (fields: AccessFields) => void

/** The status code in the access line when the client closed the connection before a response began. Never sent to a client. */
export const CLIENT_CLOSED_REQUEST = 499

/** Returns a duration in the form of the access line: with three digits after the point. */
export function roundedMs(durationMs: number): number {
  return Math.round(durationMs * 1000) / 1000
}

/**
 * Returns the start time of a request, or 0 when there is no access log that needs it. Reading the clock for each request
 * costs as much as constructing its exchange.
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
