// The guards of the subsets of all pools: applies them to the choice of a subset, counts results for them, and logs each stop.
// The rules are in subset-guard.ts. The guards belong to the pool, so they end with its last line.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Candidate, LinePool } from '../pools/line-pool.ts'
import type { ServiceSubsets, Subset } from './service-subsets.ts'
import type { SubsetChoice } from './subset-choice.ts'
import { countRest, countSubset, newGuard, STOPPED_MS, shareOf } from './subset-guard.ts'

export interface SubsetGuardsOptions {
  readonly clock: Clock
  readonly log: Logger
}

export class SubsetGuards {
  readonly #clock: Clock
  readonly #log: Logger

  constructor({ clock, log }: SubsetGuardsOptions) {
    this.#clock = clock
    this.#log = log
  }

  /** Returns the choice, or that of the rest when the guard of the subset does not admit the request. */
  applyTo({ guards }: LinePool, choice: SubsetChoice): SubsetChoice {
    const { subset, subsets, fraction } = choice
    const guard = subset === undefined ? undefined : guards.get(subset.id)
    if (guard === undefined || guard.stops === 0) return choice
    const share = shareOf(guard, this.#clock.now())
    return share > 0 && fraction < share ? choice : { ...REST, subsets }
  }

  /** True when the subset gets no requests now. The requests of its sticky sessions go to the rest. */
  isStopped({ guards }: LinePool, subset: Subset | undefined): boolean {
    const guard = subset === undefined ? undefined : guards.get(subset.id)
    return guard !== undefined && guard.stops > 0 && shareOf(guard, this.#clock.now()) === 0
  }

  /** Counts the result of an attempt. `isError`: the status is 500 or more, or there is no response. */
  count({ pool, process: { subset } }: Candidate, isError: boolean, nowMs: number): void {
    if (subset === undefined) {
      for (const guard of pool.guards.values()) countRest(guard, isError)
      return
    }
    const guard = pool.guards.get(subset.id)
    const stop = guard === undefined ? undefined : countSubset(guard, isError, nowMs)
    if (guard === undefined || stop === undefined) return
    this.#log.warn('subset stopped by its guard', {
      service: pool.service,
      subset: subset.name,
      count: guard.stops,
      delayMs: STOPPED_MS,
      detail:
        `${stop.errorPercent.toFixed(1)} % of its requests failed, and ${stop.restErrorPercent.toFixed(1)} % of the others. ` +
        `It then gets ${guard.share * 100} % of its share.`,
    })
  }
}

const REST = { subset: undefined, pinned: false, fraction: 0 } as const

/** Keeps the guards of unchanged subsets, and creates those of new ones. */
export function updateGuards({ guards }: LinePool, { list }: ServiceSubsets): void {
  for (const id of guards.keys()) if (!list.some(subset => subset.id === id)) guards.delete(id)
  for (const { id, guard } of list) {
    if (guard !== undefined && !guards.has(id)) guards.set(id, newGuard(guard))
  }
}
