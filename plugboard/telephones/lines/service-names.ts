// Maps the name that a telephone announces to a service. A service has a name and aliases; a rename turns the old name into an
// alias. Lines carry announced names on all replicas, and this class maps them to the services of the directory.

import type { Directory } from '../../routes/directory.ts'
import { announcedNames } from '../../routes/directory-entries.ts'

export class ServiceNames {
  readonly #directory: Pick<Directory, 'serviceByName' | 'subscribe'>

  constructor(directory: Pick<Directory, 'serviceByName' | 'subscribe'>) {
    this.#directory = directory
  }

  /** Returns the name of the service; the announced name itself when there is no such service. */
  serviceOf(announced: string): string {
    return this.#directory.serviceByName(announced)?.name ?? announced
  }

  /** Calls `listener` with announced names that may map to another service now. Returns a function that unsubscribes. */
  subscribe(listener: (announced: ReadonlySet<string>) => void): () => void {
    return this.#directory.subscribe({
      serviceChanged: (before, after) => {
        const old = before === undefined ? [] : announcedNames(before)
        const now = after === undefined ? [] : announcedNames(after)
        if (old.length === now.length && old.every((name, index) => name === now[index])) return
        listener(new Set([...old, ...now]))
      },
    })
  }
}
