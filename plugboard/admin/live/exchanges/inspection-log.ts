// Records in the change log which keys read exchanges, once per key, service and hour, and each replay. An exchange is shown only after
// this entry was written, so no read is unrecorded, also while the database is unavailable.

import type { AdminKey, InspectedService, InspectionStore, Mutation } from '../../../database/store/store.ts'

const HOUR_MS = 3_600_000
/** Pairs of a key and a service that are remembered. The database refuses a second entry of the same hour. */
const MAX_REMEMBERED = 1000

export class InspectionLog {
  readonly #store: InspectionStore
  readonly #wallTime: () => number
  /** The hour of the last entry, by key and service. */
  readonly #hours = new Map<string, number>()

  constructor(store: InspectionStore, wallTime: () => number) {
    this.#store = store
    this.#wallTime = wallTime
  }

  async read(service: InspectedService, { id }: AdminKey, by: Mutation): Promise<void> {
    const hour = Math.floor(this.#wallTime() / HOUR_MS)
    const pair = `${id} ${service.id}`
    if (this.#hours.get(pair) === hour) return
    await this.#store.recordRead(service, by)
    this.#hours.set(pair, hour)
    if (this.#hours.size <= MAX_REMEMBERED) return
    const [oldest] = this.#hours.keys()
    if (oldest !== undefined) this.#hours.delete(oldest)
  }

  async replay(service: InspectedService, exchange: string, by: Mutation): Promise<void> {
    await this.#store.recordReplay(service, exchange, by)
  }
}
