// A deliberate fault, for the judgement of results: its start, its end, and the failed requests that it may cause according
// to the table of failures. A failure that no incident excuses is a fault of the product.

import type { Destination } from './client/route-history.ts'
import type { Asked } from './client/traffic.ts'

/** A request that failed. */
export interface Judged {
  readonly asked: Asked
  /** The possible destinations of its host at that time. */
  readonly destinations: ReadonlySet<Destination>
}

export interface Incident {
  readonly name: string
  readonly fromMs: number
  /** Returns the reason why this failure is allowed, or undefined. Called after the end of all incidents. */
  excuse(failure: Judged): string | undefined
  /** True when the replica may have missed route edits at that time. */
  mayBeStale(replica: string | undefined, fromMs: number, untilMs: number): boolean
  /** Called after `excuse` was called for all failures. */
  concluded?(): void
}

export const neverStale = (): boolean => false

export function isIdempotent({ asked }: Judged): boolean {
  return asked.plan.method !== 'POST'
}

/** True when the request was in progress at any time between the two. */
export function overlaps({ asked }: Judged, fromMs: number, untilMs: number): boolean {
  return asked.sentAtMs <= untilMs && asked.endedAtMs >= fromMs
}

/** True when the client had received a part of the response at `atMs`, and saw the response end early within `withinMs`. */
export function wasCutBy(failure: Judged, atMs: number, withinMs: number): boolean {
  const { outcome, sentAtMs, endedAtMs } = failure.asked
  return outcome.kind === 'cut' && sentAtMs <= atMs && endedAtMs >= atMs && endedAtMs <= atMs + withinMs
}

/** True for a request that may not be repeated and whose result is unknown. The proxy reports this to the client. */
export function wasLeftUncertain(failure: Judged, fromMs: number, untilMs: number): boolean {
  const { outcome } = failure.asked
  const told = outcome.kind === 'cut' || (outcome.kind === 'problem' && outcome.code === 'telephone_lost')
  return told && !isIdempotent(failure) && overlaps(failure, fromMs, untilMs)
}
