// Checks a backend once, for `telephone check` and for the start of `telephone http`.

import { systemClock } from '@vera-stack/shared/clock.ts'
import type { BackendFailure } from '../../backend/backend-failure.ts'
import { HealthCheck } from '../../backend/health/health-check.ts'
import type { Service } from '../../options/service-options.ts'

/**
 * Resolves with the failure of the backend, or with undefined. It runs the health check of the service, or makes a
 * connection when the service has none.
 */
export function probeBackend(service: Service): Promise<BackendFailure | undefined> {
  const { target, healthCheck: check = 'tcp', tlsVerify, tlsCa, backendParsing } = service
  if (typeof target === 'function') return Promise.resolve(undefined)
  return new Promise(resolve => {
    const probe = new HealthCheck({
      ...(tlsVerify !== undefined && { tlsVerify }),
      ...(tlsCa !== undefined && { tlsCa }),
      ...(backendParsing !== undefined && { backendParsing }),
      target,
      check,
      intervalMs: 60_000,
      clock: systemClock,
      onResult(failure) {
        probe.stop()
        resolve(failure)
      },
      onChange: () => undefined,
    })
    probe.start()
  })
}
