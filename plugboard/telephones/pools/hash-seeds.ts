// The seeds of the processes for the balancing policy `hash`. The name of a telephone survives restarts, so its keys return to it.
// Processes with one name are numbered in the order of their keys, which is the same on all replicas.

import { seedOf } from '../balancing/hash.ts'
import type { LinePool, PooledProcess } from './line-pool.ts'

/** Sets the seeds after processes were added or removed. */
export function setSeeds(pool: LinePool): void {
  const byName = Map.groupBy(pool.processes, ({ telephone }) => telephone)
  for (const [name, processes] of byName) {
    processes.sort(byKey)
    processes.forEach((process, index) => {
      process.seed = seedOf(index === 0 ? name : `${name}\0${index}`)
    })
  }
  pool.hasSeeds = true
}

function byKey(left: PooledProcess, right: PooledProcess): number {
  return left.key < right.key ? -1 : 1
}
