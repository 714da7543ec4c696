// Which service a telephone means by the name that it announces: a service has a name and aliases, and a rename makes an alias
// of the old name. Lines are known by announced names, on all replicas; this is where they meet the services of the table.

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

  /** `listener`: called with announced names that may mean another service now. Returns the way to unsubscribe. */
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
