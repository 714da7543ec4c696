// The traces of requests, if the settings name a receiver. The last spans are sent after the end of all requests.

import { tracesReceiver } from '@vera-stack/shared/otlp/otlp-settings.ts'
import { startTracing } from '@vera-stack/shared/trace/start-tracing.ts'
import type { TracedShare } from '../../proxy/trace/request-tracing.ts'
import { VERSION } from '../../version.ts'
import type { ReplicaContext } from '../replica-context.ts'
import type { ReplicaMetrics } from './replica-metrics.ts'

/** Resolves with undefined when no request is traced. */
export async function startTraceExport(
  replica: ReplicaContext,
  { spans }: ReplicaMetrics,
): Promise<TracedShare | undefined> {
  const { config, clock, log, running, id } = replica
  const receiver = tracesReceiver(config)
  if (receiver === undefined) return undefined
  const resource = { name: 'plugboard', version: VERSION, instanceId: id }
  const tracing = await startTracing({ receiver, resource, counts: spans, clock, log })
  running.add('export of traces', () => tracing.stop())
  return { tracing, sample: config.traceSample }
}
