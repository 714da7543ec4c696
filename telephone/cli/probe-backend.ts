// One look at a backend, for `check` and for the start of `http`.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { HealthCheck } from '../health-check.ts'
import type { Service } from '../service-options.ts'

/** What is wrong with the backend, or undefined. By the service's own health check, else by a connection. */
export function probeBackend(service: Service): Promise<string | undefined> {
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
      onResult(problem) {
        probe.stop()
        resolve(problem)
      },
      onChange: () => undefined,
    })
    probe.start()
  })
}
