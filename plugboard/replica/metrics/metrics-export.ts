// The export of metrics by OTLP, if the settings name a receiver. The last export follows the end of all requests, so it contains them.

import { OtlpExporter } from '@vera-stack/shared/metrics/otlp-exporter.ts'
import { metricsReceiver } from '@vera-stack/shared/otlp/otlp-settings.ts'
import { VERSION } from '../../version.ts'
import type { ReplicaContext } from '../replica-context.ts'
import type { ReplicaMetrics } from './replica-metrics.ts'

export function startMetricsExport(replica: ReplicaContext, { metrics, otlpFailures }: ReplicaMetrics): void {
  const { config, clock, log, running, id } = replica
  const receiver = metricsReceiver(config)
  if (receiver === undefined) return
  const resource = { name: 'plugboard', version: VERSION, instanceId: id }
  const exporter = new OtlpExporter({ receiver, resource, metrics, failures: otlpFailures, clock, log })
  running.add('export of metrics', () => exporter.stop())
}
