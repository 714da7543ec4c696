// The traces of requests to backends, if the settings name a receiver. They are a matter of the program: an application that uses
// the library has tracing of its own.

import { systemClock } from '@vera-stack/shared/clock.ts'
import type { HttpTarget } from '@vera-stack/shared/net/backend-target.ts'
import { tracesReceiver } from '@vera-stack/shared/otlp/otlp-settings.ts'
import { startTracing } from '@vera-stack/shared/trace/start-tracing.ts'
import { BackendTraces } from '../../backend/backend-traces.ts'
import { VERSION } from '../../version.ts'
import type { PublishOptions } from './publish-options.ts'

/** Call before `telephone.start`. Resolves with a function that sends the last spans; undefined: no request is traced. */
export async function publishTraces({
  telephone,
  services,
  meters: { spans: counts },
  config,
  log,
}: PublishOptions): Promise<(() => Promise<void>) | undefined> {
  const receiver = tracesReceiver(config)
  if (receiver === undefined) return undefined
  const resource = { name: 'telephone', version: VERSION, instanceId: telephone.name }
  const tracing = await startTracing({ receiver, resource, counts, clock: systemClock, log })
  const targets = new Map<string, HttpTarget>()
  for (const { service, target } of services) if (typeof target !== 'function') targets.set(service, target)
  telephone.traceWith(new BackendTraces({ tracing, sample: config.traceSample, targets, clock: systemClock }))
  return () => tracing.stop()
}
