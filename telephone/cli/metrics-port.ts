// The port of `metricsListen`: serves the metrics of this Telephone without a key.

import { systemClock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { startMetricsServer } from '@vera-stack/shared/metrics/metrics-server.ts'
import { startProcessMetrics } from '@vera-stack/shared/metrics/process-metrics.ts'
import { Scraper } from '@vera-stack/shared/metrics/scraper.ts'
import type { ListenAddress } from '@vera-stack/shared/settings.ts'
import type { TelephoneMeters } from '../metrics/telephone-meters.ts'
import { telephoneMetrics } from '../metrics/telephone-metrics.ts'
import type { Telephone } from '../telephone.ts'

/** Thrown when the port cannot be opened. The message names the address and the remedy. */
export class MetricsPortError extends Error {
  override name = 'MetricsPortError'
}

/** Opens the port. Resolves with a function that closes it. Rejects with MetricsPortError. */
export async function serveMetrics(
  telephone: Telephone,
  meters: TelephoneMeters,
  listen: ListenAddress,
  log: Logger,
): Promise<() => Promise<void>> {
  const own = startProcessMetrics(systemClock)
  const metrics = telephoneMetrics(telephone, meters, own)
  const unsubscribe = telephone.subscribe(event => {
    if (event.kind === 'tunnel_lost') meters.lost.add(event.reason)
  })
  const stopOwn = (): void => {
    own.stop()
    unsubscribe()
  }
  try {
    const server = await startMetricsServer({ scraper: new Scraper(() => metrics), listen, log })
    return async () => {
      stopOwn()
      await server.stop()
    }
  } catch (error) {
    stopOwn()
    const reason = error instanceof Error ? error.message : String(error)
    throw new MetricsPortError(
      `The address of the metrics could not be opened (${reason}): choose another with --metrics-listen.`,
      { cause: error },
    )
  }
}
