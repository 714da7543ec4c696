// Groups the processes of a pool by subset. The groups are kept until the policy, the processes, or a version or a label
// changes.

import type { Line } from '../../registry/line.ts'
import type { LinePool, PooledProcess } from '../pools/line-pool.ts'
import { matchesGlob } from './matches-glob.ts'
import type { ServiceSubsets, Subset } from './service-subsets.ts'
import type { SubsetChoice } from './subset-choice.ts'
import { updateGuards } from './subset-guards.ts'

/** The parts of a line by which subsets select it. */
type SelectedLine = Pick<Line, 'version' | 'labels'>

/** Groups the processes for the subsets, unless they are. */
export function groupProcesses(pool: LinePool, subsets: ServiceSubsets): void {
  if (pool.subsets === subsets) return
  pool.subsets = subsets
  pool.ofSubsets = subsets.list.map(() => [])
  pool.ofNoSubset = []
  updateGuards(pool, subsets)
  for (const process of pool.processes) {
    // The newest line states the version and the labels of the process.
    const newest = process.lines.at(-1)?.line
    process.subset = newest && subsetFor(subsets, newest)
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

/** Returns the first subset that selects a line with this version and these labels; undefined: none does. */
export function subsetFor({ list }: ServiceSubsets, line: SelectedLine): Subset | undefined {
  return list.find(subset => selects(subset, line))
}

function selects({ version, labels }: Subset, line: SelectedLine): boolean {
  if (version !== undefined && !matchesGlob(line.version, version)) return false
  return labels.every(([name, value]) => Object.hasOwn(line.labels, name) && line.labels[name] === value)
}
