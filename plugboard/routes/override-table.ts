// The overrides of telephone processes in memory, by their service and process. A service has at most a few.

import type { ServiceId } from '../common/ids/row-ids.ts'
import type { DirectoryOverride } from './directory-entries.ts'

type Place = Pick<DirectoryOverride, 'serviceId' | 'instance'>

export class OverrideTable {
  readonly #byService = new Map<ServiceId, Map<string, DirectoryOverride>>()

  set(row: DirectoryOverride): void {
    const ofService = this.#byService.get(row.serviceId)
    if (ofService === undefined) this.#byService.set(row.serviceId, new Map([[row.instance, row]]))
    else ofService.set(row.instance, row)
  }

  delete({ serviceId, instance }: Place): void {
    const ofService = this.#byService.get(serviceId)
    ofService?.delete(instance)
    if (ofService?.size === 0) this.#byService.delete(serviceId)
  }

  get({ serviceId, instance }: Place): DirectoryOverride | undefined {
    return this.#byService.get(serviceId)?.get(instance)
  }

  *[Symbol.iterator](): IterableIterator<DirectoryOverride> {
    for (const ofService of this.#byService.values()) yield* ofService.values()
  }
}
