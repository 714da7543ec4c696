// Lists the lines of a service on all replicas with the state of each. The admin API uses it; the request path does not.

import type { Line } from '../../registry/line.ts'
import type { Registry } from '../../registry/registry.ts'
import type { Directory, DirectoryService } from '../../routes/directory.ts'
import { announcedNames } from '../../routes/directory-entries.ts'
import type { LinePicker } from '../picker/line-picker.ts'
import type { Candidate } from '../pools/line-pool.ts'
import type { LastLine, RefusedAnnouncement, ServiceHistory } from './service-history.ts'

export interface ServiceLinesOptions {
  readonly registry: Registry
  readonly picker: LinePicker
  readonly history: ServiceHistory
  readonly directory: Pick<Directory, 'serviceByName'>
}

export class ServiceLines {
  readonly #options: ServiceLinesOptions

  constructor(options: ServiceLinesOptions) {
    this.#options = options
  }

  linesOf(service: DirectoryService): readonly Line[] {
    return this.#namesOf(service).flatMap(name => [...this.#options.registry.linesOf(name)])
  }

  *statesOf({
    name,
  }: Pick<DirectoryService, 'name'>): IterableIterator<{ readonly line: Line; readonly state: LineState }> {
    for (const candidate of this.#options.picker.candidatesOf(name)) {
      yield { line: candidate.line, state: stateOf(candidate) }
    }
  }

  isServed(service: DirectoryService): boolean {
    return (
      this.#namesOf(service).some(name => this.#options.history.isServed(name)) && !this.#isStopped(service)
    )
  }

  /** True when operators have set the weight 0 for each process. */
  #isStopped({ name }: DirectoryService): boolean {
    const candidates = this.#options.picker.candidatesOf(name)
    return candidates.length > 0 && candidates.every(({ process }) => process.override?.weight === 0)
  }

  /** Returns the newest recorded loss among all names of the service; undefined while the service is served. */
  lastLineOf(service: DirectoryService): LastLine | undefined {
    if (this.isServed(service)) return undefined
    return newest(this.#namesOf(service).map(name => this.#options.history.lastLineOf(name)))
  }

  refusalOf(service: DirectoryService): RefusedAnnouncement | undefined {
    return newest(this.#namesOf(service).map(name => this.#options.history.refusalOf(name)))
  }

  /** Returns the names of the service, without an alias that has become the name of another service. */
  #namesOf(service: DirectoryService): readonly string[] {
    const { directory } = this.#options
    return announcedNames(service).filter(name => directory.serviceByName(name)?.id === service.id)
  }
}

/**
 * `no_weight`: the telephone or an operator has set the weight 0; `ejected`: an operator has ejected the process; `full`: the line takes
 * no further stream now; `unreachable`: this replica cannot reach the line now.
 */
export type LineState = 'serving' | 'down' | 'no_weight' | 'ejected' | 'unreachable' | 'full'

function stateOf({ line, upstream, process }: Candidate): LineState {
  if (line.health === 'down') return 'down'
  if (process.fullWeight === 0) return 'no_weight'
  if (process.watch.isHeld) return 'ejected'
  if (upstream.reachable === false) return 'unreachable'
  return upstream.canOpen ? 'serving' : 'full'
}

function newest<Entry extends { readonly atMs: number }>(
  entries: readonly (Entry | undefined)[],
): Entry | undefined {
  return entries.reduce<Entry | undefined>(
    (latest, entry) =>
      latest === undefined || (entry !== undefined && entry.atMs > latest.atMs) ? entry : latest,
    undefined,
  )
}
