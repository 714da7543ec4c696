// Records in the change log which keys read exchanges, once per key, service and hour, and each replay. An exchange is shown only after
// this entry was written, so each read has an entry, also when the database fails. Hours are those of the database's clock.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { AdminKey, InspectedService, InspectionStore, Mutation } from '../../../database/store/store.ts'

/** Pairs of a key and a service that are remembered. The database refuses a second entry of the same hour. */
const MAX_REMEMBERED = 1000

export class InspectionLog {
  readonly #store: InspectionStore
  readonly #clock: Clock
  /** The end of the hour of the last entry, by key and service, on the monotonic clock, ms. */
  readonly #recordedUntil = new Map<string, number>()

  constructor(store: InspectionStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  async read(service: InspectedService, { id }: AdminKey, by: Mutation): Promise<void> {
    const pair = `${id} ${service.id}`
    const askedAtMs = this.#clock.now()
    if (askedAtMs < (this.#recordedUntil.get(pair) ?? Number.NEGATIVE_INFINITY)) return
    // Counted from before the query, so that the remembered hour never ends after that of the database.
    const restMs = await this.#store.recordRead(service, by)
    this.#recordedUntil.delete(pair)
    this.#recordedUntil.set(pair, askedAtMs + restMs)
    if (this.#recordedUntil.size <= MAX_REMEMBERED) return
    const [oldest] = this.#recordedUntil.keys()
    if (oldest !== undefined) this.#recordedUntil.delete(oldest)
  }

  async replay(service: InspectedService, exchange: string, by: Mutation): Promise<void> {
    await this.#store.recordReplay(service, exchange, by)
  }
}
