// Decides whether a request is within the limits of its route and its service, and counts it. A request that one limit rejects
// counts for no limit. The limiter has no sockets and no database.

import { addressGroup } from '../common/net/address-group.ts'
import type { CompiledLimit } from './compiled-limits.ts'
import { debited, remaining, secondsToNext, waitMs } from './gcra.ts'
import { keyedHash } from './keyed-hash.ts'
import { joined, type KeyFacts, partValue, readingOnce } from './limit-keys.ts'
import { type LimitKey, LimitTable } from './limit-table.ts'
import { matchesPath } from './matches-path.ts'

/** A request as limits see it. */
export interface LimitedRequest extends KeyFacts {
  /** The path in the normalised spelling of mounts. */
  readonly path: string
}

/** The limit with the smallest share of its burst left, for the fields of the response. */
export interface TightestLimit {
  readonly limit: CompiledLimit
  readonly remaining: number
  /** Seconds until more is available. */
  readonly seconds: number
}

export type LimitDecision =
  | {
      readonly kind: 'admitted'
      readonly tightest: TightestLimit | undefined
      readonly debits: readonly Debit[]
      /** The first limit with `enforce: false` that the request exceeds. */
      readonly exceeded: CompiledLimit | undefined
    }
  | { readonly kind: 'rejected'; readonly limit: CompiledLimit; readonly retryAfterSeconds: number }
  /** The request lacks a part of the key of a limit that refuses such requests. */
  | { readonly kind: 'missing'; readonly limit: CompiledLimit }

/** A key to which the bytes of the response are debited when it ends. */
export interface Debit {
  readonly limit: CompiledLimit
  readonly key: LimitKey
}

/** Called after a shared or stored limit has admitted a request or bytes. `slot`: the slot of the key in the table. */
export type OnAdmitted = (limit: CompiledLimit, slot: number, cost: number) => void

export interface LimiterOptions {
  readonly table?: LimitTable | undefined
  readonly onAdmitted?: OnAdmitted | undefined
}

const NO_DEBITS: readonly Debit[] = []

export class Limiter {
  readonly table: LimitTable
  /** Requests that limits with `enforce` have rejected. */
  rejected = 0
  readonly #onAdmitted: OnAdmitted | undefined
  // The keys and slots of the request that is being checked, beside its limits. Reused, so that a check allocates no list.
  readonly #keys: LimitKey[] = []
  readonly #slots: number[] = []

  constructor({ table = new LimitTable(), onAdmitted }: LimiterOptions = {}) {
    this.table = table
    this.#onAdmitted = onAdmitted
  }

  /** Checks and counts a request. `nowMs`: time of the clock. */
  check(limits: readonly CompiledLimit[], request: LimitedRequest, nowMs: number): LimitDecision {
    return limits.length === 1
      ? this.#check(limits, request, nowMs)
      : readingOnce(request, () => this.#check(limits, request, nowMs))
  }

  #check(limits: readonly CompiledLimit[], request: LimitedRequest, nowMs: number): LimitDecision {
    const { table } = this
    const [keys, slots] = [this.#keys, this.#slots]
    for (let index = 0; index < limits.length; index += 1) {
      const limit = limits[index] as CompiledLimit
      const key = applies(limit, request) ? keyOf(limit, request) : NO_KEY
      if (key === MISSING && limit.enforced) return this.#refused(limit)
      keys[index] = key
    }
    // Of several limits that reject the request, the one with the longest wait. A shorter wait would end in another rejection.
    let rejecting: CompiledLimit | undefined
    let longestMs = 0
    // A loop of its own: without hashes between the lookups, the processor waits for the memory of several lookups at once.
    for (let index = 0; index < limits.length; index += 1) {
      const [limit, key] = [limits[index] as CompiledLimit, keys[index] as LimitKey]
      if (key < 0) continue
      const slot = table.find(key)
      slots[index] = slot
      // The exchange with other replicas and the database add keys without an owner.
      if (slot !== -1) table.setOwner(slot, limit.owner)
      const wait = slot === -1 || !limit.enforced ? 0 : waitMs(table.fullAtMs(slot), nowMs, 1, limit)
      if (wait <= longestMs) continue
      rejecting = limit
      longestMs = wait
    }
    if (rejecting !== undefined) {
      rejecting.decisions.rejected += 1
      this.rejected += 1
      return { kind: 'rejected', limit: rejecting, retryAfterSeconds: Math.ceil(longestMs / 1000) }
    }
    let tightest: TightestLimit | undefined
    let debits: Debit[] | undefined
    let exceeded: CompiledLimit | undefined
    for (let index = 0; index < limits.length; index += 1) {
      const [limit, key] = [limits[index] as CompiledLimit, keys[index] as LimitKey]
      if (key === NO_KEY) continue
      if (key === MISSING) {
        limit.decisions.wouldReject += 1
        exceeded ??= limit
        continue
      }
      let slot = slots[index] as number
      // An earlier limit may have evicted the key.
      if (slot === -1 || table.keyOf(slot) !== key) slot = this.#slotOf(limit, key, nowMs)
      if (!this.#count(limit, slot, nowMs)) exceeded ??= limit
      if (limit.countsBytes) {
        debits ??= []
        debits.push({ limit, key })
      }
      if (limit.sendsFields) tightest = tighterOf(tightest, this.#stateOf(limit, slot, nowMs))
    }
    return { kind: 'admitted', tightest, debits: debits ?? NO_DEBITS, exceeded }
  }

  #refused(limit: CompiledLimit): LimitDecision {
    limit.decisions.rejected += 1
    this.rejected += 1
    return { kind: 'missing', limit }
  }

  /** Debits the bytes of a response to the limits that count bytes. */
  debit(debits: readonly Debit[], bytes: number, nowMs: number): void {
    if (bytes === 0) return
    for (const { limit, key } of debits) this.#debit(limit, this.#slotOf(limit, key, nowMs), bytes, nowMs)
  }

  /**
   * Counts the request. Its quota is debited unless the limit counts bytes. Returns false when the limit does not enforce and would
   * reject the request.
   */
  #count(limit: CompiledLimit, slot: number, nowMs: number): boolean {
    if (!limit.enforced && waitMs(this.table.fullAtMs(slot), nowMs, 1, limit) > 0) {
      limit.decisions.wouldReject += 1
      return false
    }
    limit.decisions.admitted += 1
    if (!limit.countsBytes) this.#debit(limit, slot, 1, nowMs)
    return true
  }

  #stateOf(limit: CompiledLimit, slot: number, nowMs: number): TightestLimit {
    const fullAtMs = this.table.fullAtMs(slot)
    return {
      limit,
      remaining: remaining(fullAtMs, nowMs, limit),
      seconds: secondsToNext(fullAtMs, nowMs, limit),
    }
  }

  #debit(limit: CompiledLimit, slot: number, cost: number, nowMs: number): void {
    const { table } = this
    table.setFullAtMs(slot, debited(table.fullAtMs(slot), nowMs, cost, limit))
    table.addAdmitted(slot, cost)
    if (limit.shared || limit.isStored) this.#onAdmitted?.(limit, slot, cost)
  }

  #slotOf({ owner }: CompiledLimit, key: LimitKey, nowMs: number): number {
    const found = this.table.find(key)
    if (found !== -1) return found
    const slot = this.table.add(key, nowMs)
    this.table.setOwner(slot, owner)
    return slot
  }
}

const NO_KEY: LimitKey = -1
const MISSING: LimitKey = -2

function applies({ path, methods }: CompiledLimit, request: LimitedRequest): boolean {
  return (
    (path === '' || matchesPath(request.path, path)) && (methods === undefined || methods.has(request.method))
  )
}

/** Returns the key of the request; NO_KEY: the limit does not count it; MISSING: it is refused. */
function keyOf(limit: CompiledLimit, request: LimitedRequest): LimitKey {
  const { parts, hashKey } = limit
  if (parts.length === 1) {
    const value = partValue(parts[0] as CompiledLimit['parts'][number], request)
    if (value !== undefined) return keyedHash(value, hashKey)
  } else {
    const values = parts.map(part => partValue(part, request))
    if (!values.includes(undefined)) return keyedHash(joined(values as string[]), hashKey)
  }
  if (limit.onMissing === 'skip') return NO_KEY
  if (limit.onMissing === 'refuse') return MISSING
  // The form differs from every value of a part, so that no client can use up the quota of an address by its own value.
  return keyedHash(`\0${addressGroup(request.clientAddress)}`, hashKey)
}

/** Returns the limit with the smaller share of its burst left. */
export function tighterOf(
  left: TightestLimit | undefined,
  right: TightestLimit | undefined,
): TightestLimit | undefined {
  if (left === undefined || right === undefined) return left ?? right
  return shareLeft(left) <= shareLeft(right) ? left : right
}

function shareLeft({ remaining: left, limit }: TightestLimit): number {
  return left / limit.burst
}
