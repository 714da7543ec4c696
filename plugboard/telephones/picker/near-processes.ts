// Locality: prefers the processes that are near this replica, for example in its region. A process is near when it announces a
// label with the same value as the replica's.

import type { PooledProcess } from '../pools/line-pool.ts'

/** The near processes serve alone while at least this part of them takes requests. */
const ENOUGH = 0.7

export interface Locality {
  /** Name of the label. */
  readonly label: string
}

export type Labels = Readonly<Record<string, string>>

/**
 * Returns the processes of `usable` that are near, if that is enough of the near processes in `all`, and otherwise `usable`.
 * `own`: the labels of this replica.
 */
export function nearProcesses(
  all: readonly PooledProcess[],
  usable: readonly PooledProcess[],
  { label }: Locality,
  own: Labels,
): readonly PooledProcess[] {
  const value = Object.hasOwn(own, label) ? own[label] : undefined
  if (value === undefined) return usable
  let near = 0
  for (const process of all) if (process.fullWeight > 0 && hasLabel(process, label, value)) near += 1
  const usableNear = usable.filter(process => hasLabel(process, label, value))
  return usableNear.length > 0 && usableNear.length >= near * ENOUGH ? usableNear : usable
}

/** The newest line states the labels of the process. */
function hasLabel({ lines }: PooledProcess, label: string, value: string): boolean {
  const labels = lines.at(-1)?.line.labels
  return labels !== undefined && Object.hasOwn(labels, label) && labels[label] === value
}
