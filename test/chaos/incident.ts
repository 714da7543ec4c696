// Something that goes wrong on purpose, as the judge sees it: from when, until when, and which failures of requests
// are its doing and allowed by the table of failures. Everything that no incident excuses is a fault of the product.

import type { Destination } from './route-history.ts'
import type { Asked } from './traffic.ts'

/** A request that failed. */
export interface Judged {
  readonly asked: Asked
  /** Where its host may have led to. */
  readonly destinations: ReadonlySet<Destination>
}

export interface Incident {
  readonly name: string
  readonly fromMs: number
  /** Why this failure is allowed; undefined: it is not. Asked once everything is over. */
  excuse(failure: Judged): string | undefined
  /** The replica may not have heard of route edits at that time. */
  mayBeStale(replica: string | undefined, fromMs: number, untilMs: number): boolean
  /** All failures have been told. */
  concluded?(): void
}

export const neverStale = (): boolean => false

export function isIdempotent({ asked }: Judged): boolean {
  return asked.plan.method !== 'POST'
}

/** It was under way at some time between the two. */
export function overlaps({ asked }: Judged, fromMs: number, untilMs: number): boolean {
  return asked.sentAtMs <= untilMs && asked.endedAtMs >= fromMs
}

/** An answer of which the client had a part when it happened, and that broke off visibly within `withinMs`. */
export function wasCutBy(failure: Judged, atMs: number, withinMs: number): boolean {
  const { outcome, sentAtMs, endedAtMs } = failure.asked
  return outcome.kind === 'cut' && sentAtMs <= atMs && endedAtMs >= atMs && endedAtMs <= atMs + withinMs
}

/** A request that may not be repeated, whose fate nobody knows: the proxy says so instead of guessing. */
export function wasLeftUncertain(failure: Judged, fromMs: number, untilMs: number): boolean {
  const { outcome } = failure.asked
  const told = outcome.kind === 'cut' || (outcome.kind === 'problem' && outcome.code === 'telephone_lost')
  return told && !isIdempotent(failure) && overlaps(failure, fromMs, untilMs)
}
