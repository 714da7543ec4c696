// The last failed or slow requests of this replica, in memory. Three rings share the place, so that a flood of one kind does not
// evict the others: requests that failed behind the client, requests that were refused because of the client, and slow ones.
// Both the number and the bytes of the entries are bounded.

import type { FailedRequest } from './failed-request.ts'
import type { RequestTest } from './request-filter.ts'

export const FAILURE_KINDS = ['failed', 'refused', 'slow'] as const
export type FailureKind = (typeof FAILURE_KINDS)[number]

interface RingBounds {
  readonly entries: number
  readonly bytes: number
}

/** 5,000 entries and about 8 MiB in all. */
const BOUNDS: Readonly<Record<FailureKind, RingBounds>> = {
  failed: { entries: 3000, bytes: 5 * 1024 * 1024 },
  refused: { entries: 1000, bytes: 1536 * 1024 },
  slow: { entries: 1000, bytes: 1536 * 1024 },
}
/** Bytes of the objects of an entry, without its texts. The texts of a route and its service are shared. */
const ENTRY_BYTES = 400
const ATTEMPT_BYTES = 150

export class FailureRing {
  readonly #rings: Readonly<Record<FailureKind, Ring>>

  constructor(bounds: Readonly<Record<FailureKind, RingBounds>> = BOUNDS) {
    this.#rings = {
      failed: new Ring(bounds.failed),
      refused: new Ring(bounds.refused),
      slow: new Ring(bounds.slow),
    }
  }

  add(kind: FailureKind, entry: FailedRequest): void {
    this.#rings[kind].add(entry)
  }

  /** Returns the entries that pass the test, the newest first. `before`: only entries with an earlier position. */
  newest(test: RequestTest, limit: number, before?: RequestPosition): readonly FailedRequest[] {
    const found = FAILURE_KINDS.flatMap(kind => this.#rings[kind].newest(test, limit, before))
    return found.sort(newestFirst).slice(0, limit)
  }

  /** Returns the entries whose id begins with the text, the newest first. An entry with exactly this id hides the others. */
  find(idPrefix: string, limit: number): readonly FailedRequest[] {
    const isMatch: RequestTest = ({ requestId }) => requestId.startsWith(idPrefix)
    const found = this.newest(isMatch, Number.POSITIVE_INFINITY)
    const exact = found.filter(({ request }) => request.requestId === idPrefix)
    return (exact.length > 0 ? exact : found).slice(0, limit)
  }

  get size(): number {
    return FAILURE_KINDS.reduce((sum, kind) => sum + this.#rings[kind].size, 0)
  }
}

/** The position of an entry in a list: later entries are first, and entries of the same time are in the order of their ids. */
export type RequestPosition = readonly [at: string, requestId: string]

export function positionOf({ request }: FailedRequest): RequestPosition {
  return [request.at, request.requestId]
}

/** Compares two entries for a list with the newest first. */
export function newestFirst(left: FailedRequest, right: FailedRequest): number {
  return isAfter(positionOf(left), positionOf(right)) ? -1 : 1
}

function isAfter([leftAt, leftId]: RequestPosition, [rightAt, rightId]: RequestPosition): boolean {
  return leftAt === rightAt ? leftId > rightId : leftAt > rightAt
}

class Ring {
  readonly #bounds: RingBounds
  /** Circular: the oldest entry is at `#first`. */
  readonly #entries: (FailedRequest | undefined)[] = []
  readonly #sizes: number[] = []
  #first = 0
  #count = 0
  #bytes = 0

  constructor(bounds: RingBounds) {
    this.#bounds = bounds
  }

  get size(): number {
    return this.#count
  }

  add(entry: FailedRequest): void {
    const bytes = bytesOf(entry)
    if (this.#count === this.#bounds.entries) this.#dropOldest()
    while (this.#count > 0 && this.#bytes + bytes > this.#bounds.bytes) this.#dropOldest()
    const at = (this.#first + this.#count) % this.#bounds.entries
    this.#entries[at] = entry
    this.#sizes[at] = bytes
    this.#count += 1
    this.#bytes += bytes
  }

  newest(test: RequestTest, limit: number, before: RequestPosition | undefined): FailedRequest[] {
    const found: FailedRequest[] = []
    for (let back = this.#count - 1; back >= 0 && found.length < limit; back -= 1) {
      const entry = this.#entries[(this.#first + back) % this.#bounds.entries]
      if (entry === undefined) continue
      if (before !== undefined && !isAfter(before, positionOf(entry))) continue
      if (test(entry.request)) found.push(entry)
    }
    return found
  }

  #dropOldest(): void {
    this.#bytes -= this.#sizes[this.#first] ?? 0
    this.#entries[this.#first] = undefined
    this.#first = (this.#first + 1) % this.#bounds.entries
    this.#count -= 1
  }
}

function bytesOf({ request, attempts }: FailedRequest): number {
  const { path, host, detail = '', userAgent = '', requestId } = request
  const texts = path.length + host.length + detail.length + userAgent.length + requestId.length
  return attempts.reduce(
    (sum, attempt) => sum + ATTEMPT_BYTES + (attempt.detail?.length ?? 0),
    ENTRY_BYTES + 2 * texts,
  )
}
