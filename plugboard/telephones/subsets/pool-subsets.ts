// Groups the processes of a pool by subset. The groups are kept until the policy, the processes, or a version or a label
// changes.

import type { LinePool, PooledProcess } from '../pools/line-pool.ts'
import { matchesGlob } from './matches-glob.ts'
import type { ServiceSubsets, Subset } from './service-subsets.ts'
import type { SubsetChoice } from './subset-choice.ts'
import { updateGuards } from './subset-guards.ts'

/** Groups the processes for the subsets, unless they are. */
export function groupProcesses(pool: LinePool, subsets: ServiceSubsets): void {
  if (pool.subsets === subsets) return
  pool.subsets = subsets
  pool.ofSubsets = subsets.list.map(() => [])
  pool.ofNoSubset = []
  updateGuards(pool, subsets)
  for (const process of pool.processes) {
    process.subset = subsets.list.find(subset => selects(subset, process))
    const group = process.subset === undefined ? pool.ofNoSubset : pool.ofSubsets[process.subset.index]
    group?.push(process)
  }
}

/**
 * Returns the groups of processes in the order in which the request uses them: the processes of its subset, then those of no
 * subset, then all. A later group is used only while no process of the earlier ones takes the request.
 */
export function groupsFor(
  { ofSubsets, ofNoSubset, processes }: LinePool,
  { subset }: SubsetChoice,
): readonly (readonly PooledProcess[])[] {
  return subset === undefined
    ? [ofNoSubset, processes]
    : [ofSubsets[subset.index] ?? [], ofNoSubset, processes]
}

/** Returns 0 for a process of the request's subset, 1 for a process of no subset, 2 for a process of another subset. */
export function subsetRank({ subset }: PooledProcess, choice: SubsetChoice | undefined): number {
  if (choice === undefined || subset === choice.subset) return 0
  return subset === undefined ? 1 : 2
}

/** The newest line states the version and the labels of the process. */
function selects({ version, labels }: Subset, { lines }: PooledProcess): boolean {
  const line = lines.at(-1)?.line
  if (line === undefined || (version !== undefined && !matchesGlob(line.version, version))) return false
  return labels.every(([name, value]) => Object.hasOwn(line.labels, name) && line.labels[name] === value)
}
