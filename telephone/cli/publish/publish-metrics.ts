// The metrics of this Telephone for other systems: the port of `metricsListen`, without a key, and the export to `otlpEndpoint`.

import { systemClock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { startMetricsServer } from '@vera-stack/shared/metrics/metrics-server.ts'
import { OtlpExporter } from '@vera-stack/shared/metrics/otlp-exporter.ts'
import { startProcessMetrics } from '@vera-stack/shared/metrics/process-metrics.ts'
import { Scraper } from '@vera-stack/shared/metrics/scraper.ts'
import { metricsReceiver } from '@vera-stack/shared/otlp/otlp-settings.ts'
import type { ListenAddress } from '@vera-stack/shared/settings.ts'
import { telephoneMetrics } from '../../metrics/telephone-metrics.ts'
import { VERSION } from '../../version.ts'
import { PortError } from '../port-error.ts'
import type { PublishOptions } from './publish-options.ts'

/** Opens the port and starts the export. Resolves with a function that ends both. Rejects with PortError. */
export async function publishMetrics({
  telephone,
  meters,
  config,
  log,
}: PublishOptions): Promise<() => Promise<void>> {
  const { metricsListen: listen } = config
  const receiver = metricsReceiver(config)
  const own = startProcessMetrics(systemClock)
  const all = telephoneMetrics(telephone, meters, own)
  const metrics = () => all
  const unsubscribe = telephone.subscribe(event => {
    if (event.kind === 'tunnel_lost') meters.lost.add(event.reason)
  })
  const stopOwn = (): void => {
    own.stop()
    unsubscribe()
  }
  try {
    const server = listen === undefined ? undefined : await openPort(new Scraper(metrics), listen, log)
    const resource = { name: 'telephone', version: VERSION, instanceId: telephone.name }
    const options = { resource, metrics, failures: meters.otlpFailures, clock: systemClock, log }
    const exporter = receiver === undefined ? undefined : new OtlpExporter({ receiver, ...options })
    return async () => {
      await exporter?.stop()
      stopOwn()
      await server?.stop()
    }
  } catch (error) {
    stopOwn()
    throw error
  }
}

async function openPort(scraper: Scraper, listen: ListenAddress, log: Logger) {
  try {
    return await startMetricsServer({ scraper, listen, log })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new PortError(
      `The address of the metrics could not be opened (${reason}): choose another with --metrics-listen.`,
      { cause: error },
    )
  }
}
