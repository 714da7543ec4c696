// The lines of a service, on all replicas, with what each can take now: for people, not for requests.

import type { Line } from '../registry/line.ts'
import type { Registry } from '../registry/registry.ts'
import type { DirectoryService } from '../routes/directory.ts'
import type { LinePicker } from './line-picker.ts'
import type { Candidate } from './line-pool.ts'
import type { LastLine, RefusedAnnouncement, ServiceHistory } from './service-history.ts'

export interface ServiceLinesOptions {
  readonly registry: Registry
  readonly picker: LinePicker
  readonly history: ServiceHistory
}

export class ServiceLines {
  readonly #options: ServiceLinesOptions

  constructor(options: ServiceLinesOptions) {
    this.#options = options
  }

  linesOf({ name }: DirectoryService): Iterable<Line> {
    return this.#options.registry.linesOf(name)
  }

  *statesOf({
    name,
  }: DirectoryService): IterableIterator<{ readonly line: Line; readonly state: LineState }> {
    for (const candidate of this.#options.picker.candidatesOf(name)) {
      yield { line: candidate.line, state: stateOf(candidate) }
    }
  }

  isServed({ name }: DirectoryService): boolean {
    return this.#options.history.isServed(name)
  }

  lastLineOf({ name }: DirectoryService): LastLine | undefined {
    return this.#options.history.lastLineOf(name)
  }

  refusalOf({ name }: DirectoryService): RefusedAnnouncement | undefined {
    return this.#options.history.refusalOf(name)
  }
}

/** `full`: it takes no further stream now; `unreachable`: no link leads to its replica. */
export type LineState = 'serving' | 'down' | 'no_weight' | 'unreachable' | 'full'

function stateOf({ line, upstream }: Candidate): LineState {
  if (line.health === 'down') return 'down'
  if (line.weight === 0) return 'no_weight'
  if (upstream.reachable === false) return 'unreachable'
  return upstream.canOpen ? 'serving' : 'full'
}
