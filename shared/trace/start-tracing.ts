// Loads the OpenTelemetry SDK when traces are sent. Without traces, the program saves this memory and time at the start.

import type { TracingOptions } from './open-telemetry.ts'
import type { Tracing } from './tracing.ts'

export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const { openTelemetry } = await import('./open-telemetry.ts')
  return openTelemetry(options)
}
