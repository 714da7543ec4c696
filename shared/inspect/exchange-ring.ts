// The captured exchanges of this replica, in memory: the newest 200 of each service, and 32 MiB in all. An exchange is kept as
// bytes of JSON, so that the bound is exact, and as a summary for lists. Bytes of exchanges in flight count too.

import type { CapturedExchange, ExchangeSummary } from './captured-exchange.ts'

export interface ExchangeRingBounds {
  /** Exchanges of one service. */
  readonly perService: number
  /** Bytes of all exchanges, those in flight included. */
  readonly bytes: number
  /** Time for which an exchange is kept, ms. */
  readonly keepMs: number
}

const MIB = 1024 * 1024
export const EXCHANGE_BOUNDS: ExchangeRingBounds = {
  perService: 200,
  bytes: 32 * MIB,
  keepMs: 24 * 3600 * 1000,
}
/** Exchanges in flight use at most this part of the bytes. */
const IN_FLIGHT_SHARE = 0.5
/** The estimated size of a summary in memory, in bytes. */
const SUMMARY_BYTES = 2048

interface RingEntry {
  readonly summary: ExchangeSummary
  readonly serviceId: string
  readonly bytes: Buffer
  /** The time of the clock at which it was added. */
  readonly addedAtMs: number
}

interface ServiceEntries {
  /** The oldest one is first. */
  readonly entries: RingEntry[]
  bytes: number
}

export class ExchangeRing {
  readonly #bounds: ExchangeRingBounds
  readonly #services = new Map<string, ServiceEntries>()
  readonly #byId = new Map<string, RingEntry>()
  #bytes = 0
  #inFlight = 0

  constructor(bounds: ExchangeRingBounds = EXCHANGE_BOUNDS) {
    this.#bounds = bounds
  }

  /** The number of exchanges. */
  get size(): number {
    return this.#byId.size
  }

  /** Bytes of all exchanges, those in flight included. */
  get bytes(): number {
    return this.#bytes + this.#inFlight
  }

  /** Reserves bytes for an exchange in flight. Returns false when exchanges in flight would exceed their share. */
  reserve(bytes: number): boolean {
    if (this.#inFlight + bytes > this.#bounds.bytes * IN_FLIGHT_SHARE) return false
    this.#inFlight += bytes
    this.#makeRoom(0)
    return true
  }

  release(bytes: number): void {
    this.#inFlight -= bytes
  }

  /** Adds an exchange, or replaces the one with its id. */
  add(exchange: CapturedExchange, nowMs: number): void {
    const { id, open, replayOf, request, serviceId } = exchange
    const bytes = Buffer.from(JSON.stringify(exchange))
    const entry = { summary: { id, open, replayOf, request }, serviceId, bytes, addedAtMs: nowMs }
    const before = this.#byId.get(id)
    if (before !== undefined) this.#remove(before)
    this.expire(nowMs)
    const size = sizeOf(entry)
    if (size > this.#bounds.bytes - this.#inFlight) return
    this.#makeRoom(size)
    const service = this.#services.get(serviceId) ?? { entries: [], bytes: 0 }
    this.#services.set(serviceId, service)
    const [oldest] = service.entries
    if (service.entries.length >= this.#bounds.perService && oldest !== undefined) this.#remove(oldest)
    // The last removal has deleted a service without other entries.
    this.#services.set(serviceId, service)
    service.entries.push(entry)
    service.bytes += size
    this.#byId.set(id, entry)
    this.#bytes += size
  }

  /** Returns the exchange with this id. */
  get(id: string): CapturedExchange | undefined {
    const entry = this.#byId.get(id)
    return entry === undefined ? undefined : (JSON.parse(entry.bytes.toString()) as CapturedExchange)
  }

  /** Returns the summaries of a service, in no particular order. */
  ofService(serviceId: string): readonly ExchangeSummary[] {
    return this.#services.get(serviceId)?.entries.map(({ summary }) => summary) ?? []
  }

  /** Removes the exchanges that were added too long ago. */
  expire(nowMs: number): void {
    for (const { entries } of [...this.#services.values()]) {
      for (let [oldest] = entries; oldest !== undefined; [oldest] = entries) {
        if (nowMs - oldest.addedAtMs < this.#bounds.keepMs) break
        this.#remove(oldest)
      }
    }
  }

  clear(): void {
    this.#services.clear()
    this.#byId.clear()
    this.#bytes = 0
  }

  /** Removes the oldest exchanges of the services with the most bytes, until there is room. */
  #makeRoom(bytes: number): void {
    while (this.#bytes > 0 && this.bytes + bytes > this.#bounds.bytes) {
      let largest: ServiceEntries | undefined
      for (const service of this.#services.values())
        if (largest === undefined || service.bytes > largest.bytes) largest = service
      const oldest = largest?.entries[0]
      if (oldest === undefined) return
      this.#remove(oldest)
    }
  }

  #remove(entry: RingEntry): void {
    const service = this.#services.get(entry.serviceId)
    const at = service?.entries.indexOf(entry) ?? -1
    if (service === undefined || at === -1) return
    service.entries.splice(at, 1)
    service.bytes -= sizeOf(entry)
    if (service.entries.length === 0) this.#services.delete(entry.serviceId)
    this.#byId.delete(entry.summary.id)
    this.#bytes -= sizeOf(entry)
  }
}

function sizeOf({ bytes }: RingEntry): number {
  return bytes.length + SUMMARY_BYTES
}
