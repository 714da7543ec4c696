// The port of `metricsListen`, if it is set. It is open as long as the admin port.

import { startMetricsServer } from '@vera-stack/shared/metrics/metrics-server.ts'
import type { ReplicaContext } from '../replica-context.ts'
import type { ReplicaMetrics } from './replica-metrics.ts'

/** Rejects with StartupError, which names the flag, when the address cannot be opened. */
export async function startMetricsPort(replica: ReplicaContext, { scraper }: ReplicaMetrics): Promise<void> {
  const { config, log, running } = replica
  const { metricsListen: listen } = config
  if (listen === undefined) return
  const server = await replica.listening(startMetricsServer({ scraper, listen, log }), 'metricsListen')
  running.add('metrics port', () => server.stop())
  const { address, port } = server.address
  log.info('metrics are served without a key', { address, port })
}
