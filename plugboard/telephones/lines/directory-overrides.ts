// The overrides of telephone processes from the directory, in the form that the pools of lines use.

import type { Directory, DirectoryOverride } from '../../routes/directory.ts'
import type { OverrideSource } from '../pools/process-overrides.ts'

type OverrideDirectory = Pick<Directory, 'serviceByName' | 'service' | 'overrideOf' | 'subscribe'>

export class DirectoryOverrides implements OverrideSource {
  readonly #directory: OverrideDirectory

  constructor(directory: OverrideDirectory) {
    this.#directory = directory
  }

  of(service: string, instance: string): DirectoryOverride | undefined {
    const id = this.#directory.serviceByName(service)?.id
    return id === undefined ? undefined : this.#directory.overrideOf(id, instance)
  }

  subscribe(listener: (service: string, instance: string) => void): () => void {
    return this.#directory.subscribe({
      overrideChanged: (serviceId, instance) => {
        const name = this.#directory.service(serviceId)?.name
        if (name !== undefined) listener(name, instance)
      },
    })
  }
}
