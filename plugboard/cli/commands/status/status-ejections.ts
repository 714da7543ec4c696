// The part of `plugboard status` about the traffic that replicas have stopped: processes by passive ejection, subsets by their guard,
// services by their circuit breaker, and the services whose ejections are paused at their bound.

import type { EjectionsBody } from '../../../admin/api-types.ts'
import type { CliContext } from '../../api/api-command.ts'
import { type Column, type Output, relative } from '../../output/output.ts'
import { breakerText, subsetColumns } from './service-processes.ts'

export const NO_EJECTIONS: EjectionsBody = {
  items: [],
  services: [],
  subsets: [],
  breakers: [],
  missingReplicas: [],
}

/** A replica of an older version sends no subsets and no breakers. */
type Older<Body extends EjectionsBody> = Omit<Body, 'subsets' | 'breakers'> &
  Partial<Pick<Body, 'subsets' | 'breakers'>>

/** Writes nothing when all processes, subsets and services get requests. */
export async function showEjections(
  output: Output,
  { items, services, subsets = [], breakers = [] }: Older<EjectionsBody>,
  context: CliContext,
): Promise<void> {
  if (output.format !== 'table') return
  const now = items.filter(({ state }) => state !== 'serving')
  if (now.length > 0)
    await output.section(`failing telephone processes (${now.length})`, now, ejectionColumns(context))
  if (breakers.length > 0) {
    await output.section(`open circuit breakers (${breakers.length})`, breakers, [
      { title: 'service', value: row => row.service },
      { title: 'replica', value: row => row.replicaId },
      { title: 'state', value: row => breakerText(row, context) },
    ])
  }
  if (subsets.length > 0) {
    await output.section(`subsets that their guard has stopped (${subsets.length})`, subsets, [
      { title: 'service', value: row => row.service },
      ...subsetColumns(context),
    ])
  }
  for (const { service, replicaId, pausedSince } of services) {
    if (pausedSince === null) continue
    output.note(
      `warning: more processes of service "${service}" fail than replica ${replicaId} ejects (outlier.maxEjectedPercent), ` +
        `first ${relative(pausedSince, context.now())}. Repair the backends.`,
    )
  }
}

function ejectionColumns(context: CliContext): readonly Column<EjectionsBody['items'][number]>[] {
  return [
    { title: 'service', value: row => row.service },
    { title: 'telephone', value: row => row.telephone },
    { title: 'replica', value: row => row.replicaId },
    { title: 'state', value: row => row.state },
    { title: 'since', value: row => relative(row.since, context.now()) },
    { title: 'until', value: row => (row.until === null ? '' : relative(row.until, context.now())) },
    { title: 'reason', value: row => row.reason },
    { title: 'last failures', value: row => row.failures.map(({ failure }) => failure).join(' ') },
  ]
}
