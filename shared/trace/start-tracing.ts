// Loads the SDK of OpenTelemetry, only when traces are sent: it takes time at the start, and memory.

import type { TracingOptions } from './open-telemetry.ts'
import type { Tracing } from './tracing.ts'

export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const { openTelemetry } = await import('./open-telemetry.ts')
  return openTelemetry(options)
}
