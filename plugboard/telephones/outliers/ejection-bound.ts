// The bounds of passive ejection: the last process of a service is not ejected, and a limited share of the processes is.

import { isAvailable, type LinePool, type PooledProcess } from '../pools/line-pool.ts'

/** `last_process`: no other process serves. `max_ejected`: `maxEjectedPercent` of the processes are ejected. */
export type EjectionBound = 'last_process' | 'max_ejected'

/**
 * Returns the bound that prevents the ejection of the process; undefined: it may be ejected. `refused`: its backend refuses
 * connections. Such a process cannot serve a request anyway, so it does not count for the percentage.
 */
export function ejectionBound(
  { processes, outlier }: LinePool,
  process: PooledProcess,
  refused: boolean,
): EjectionBound | undefined {
  let available = 1
  let serving = 0
  let ejected = 1
  for (const other of processes) {
    // A process that takes no requests, for example because its weight is 0, counts for neither number.
    if (other === process || !other.lines.some(isAvailable)) continue
    const { state, isHeld } = other.watch
    // A process that an operator has ejected counts for neither number, because the operator decides about it.
    if (isHeld) continue
    available += 1
    if (state.kind === 'serving') serving += 1
    else if (!state.refused) ejected += 1
  }
  if (serving === 0) return 'last_process'
  if (refused || outlier === false) return undefined
  return ejected * 100 <= outlier.maxEjectedPercent * available ? undefined : 'max_ejected'
}
