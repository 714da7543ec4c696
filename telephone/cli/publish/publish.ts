// Figures of this Telephone for other systems: metrics and traces. run.ts imports this file only when a setting asks for them,
// because an import of node:http also loads undici (docs/decisions/0019-memory-of-a-telephone.md).

import { metricsReceiver } from '@vera-stack/shared/otlp/otlp-settings.ts'
import { publishMetrics } from './publish-metrics.ts'
import type { PublishOptions } from './publish-options.ts'
import { publishTraces } from './publish-traces.ts'

/** Resolves with a function that sends the last figures and closes the port. Rejects with PortError. */
export async function publish(options: PublishOptions): Promise<() => Promise<void>> {
  const { config } = options
  const hasMetrics = config.metricsListen !== undefined || metricsReceiver(config) !== undefined
  const closers = [hasMetrics ? await publishMetrics(options) : undefined, await publishTraces(options)]
  return async () => {
    await Promise.all(closers.map(close => close?.()))
  }
}
